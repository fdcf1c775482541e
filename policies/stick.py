"""When a session leaves the route that it is on: that route has its prompt in a cache, and no other has.

A change must gain more than the margin and, where the objective counts money, more than reading the prompt anew costs:
its tokens times what a fresh one costs above a cached one on the new route. Both are shares of what the request costs
on the old route. With three tokens of input to one of output, as in the blended price, its length cancels out.
"""

from dataclasses import dataclass

from backends.route import Route
from policies.costs import INPUT_SHARE, blended_price
from policies.objectives import Figure
from policies.policy import Objective, Policy


@dataclass(frozen=True, slots=True)
class Stay:
    """Whether a session ``stays`` where it is, and a sentence that says why."""

    stays: bool
    reason: str


def stay(policy: Policy, objective: Objective, old: tuple[Route, Figure], new: tuple[Route, Figure]) -> Stay:
    """``new`` is first by ``objective``, and the session is on ``old``; both may serve. The policy has a ``stick``."""
    (old_route, old_figure), (new_route, new_figure) = old, new
    assert policy.stick is not None
    if new_figure.value is None:
        return Stay(True, f"stays on {old_route.name}: {new_route.name} is not measured either")
    if old_figure.value is None:
        return Stay(False, f"leaves {old_route.name}, which is unmeasured, for {new_route.name}")
    gain = _gain(old_figure.value, new_figure.value, old_figure.unit)
    cold = _cold(policy, objective, old_route, new_route)
    stays = gain <= policy.stick.margin + cold
    verdict = f"stays on {old_route.name}, as" if stays else f"leaves {old_route.name}, as"
    bound = f"{policy.stick.margin:.1%} of margin and {cold:.1%} for a cold cache"
    return Stay(stays, f"{verdict} {new_route.name} gains {gain:.1%}, {'not more' if stays else 'more'} than {bound}")


def _gain(old: float, new: float, unit: str) -> float:
    """A share of ``old`` for money and times; points for pass@1; a score is made of logarithms, so near a share."""
    match unit:
        case "share":
            return new - old
        case "score":
            return old - new
        case _:
            return (old - new) / old if old > 0 else 0.0


def _cold(policy: Policy, objective: Objective, old: Route, new: Route) -> float:
    """What a prompt costs for not being in the new route's cache, as a share of the request's price on the old one."""
    price = new.price
    anew = price.input - (price.input if price.cached_input is None else price.cached_input)
    whole = blended_price(old)
    if anew <= 0 or whole <= 0:
        return 0.0
    return _counts_money(policy, objective) * anew * INPUT_SHARE / (INPUT_SHARE + 1) / whole


def _counts_money(policy: Policy, objective: Objective) -> float:
    """How much a share of the price weighs in the objective."""
    if objective in ("cheapest", "cheapest_per_solved_task"):
        return 1.0
    if objective == "weighted":
        return sum(weight for measure, weight in policy.weights if measure.startswith("cheapest"))
    return 0.0
