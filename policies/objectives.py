"""How a policy orders the routes that it kept."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from backends.route import Route
from policies.policy import Objective, Policy
from policies.requirements import timed_scorecard
from policies.scorecard import Evidence, Scorecard

INPUT_SHARE = 3
"""Input tokens to one output token in the blended price: a chat about code reads more than it writes."""


Unit = Literal["nanousd", "share", "ms"]


@dataclass(frozen=True, slots=True)
class Figure:
    """What an objective goes by for one route, as "``value`` in ``unit``, ``meaning``".

    ``value`` None was never measured, and orders last.
    """

    value: float | None
    unit: Unit
    meaning: str
    run_id: str | None = None


def order(
    objective: Objective, policy: Policy, routes: Iterable[Route], evidence: Evidence
) -> list[tuple[Route, Figure]]:
    """Best first, unmeasured last, ties by name."""
    routes = tuple(routes)
    figures = _FIGURES[objective](policy, routes, evidence)
    sign = -1 if objective == "most_accurate" else 1

    def rank(pair: tuple[Route, Figure]) -> tuple[bool, float, str]:
        route, figure = pair
        return figure.value is None, sign * (figure.value or 0), route.name

    return sorted(zip(routes, figures, strict=True), key=rank)


def _blended_prices(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> list[Figure]:
    """Declared, so known before any run: a new route is not the dearest merely for being new."""
    meaning = f"per million tokens, {INPUT_SHARE} in to 1 out"
    return [Figure(_blended(route), "nanousd", meaning) for route in routes]


def _blended(route: Route) -> int:
    return (INPUT_SHARE * route.price.input + route.price.output) // (INPUT_SHARE + 1)


def _means(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> list[Figure]:
    suite, language = policy.suite or _most_measured(routes, evidence)
    cards = [evidence.scorecard(route.name, route.revision.id, suite, language) for route in routes]
    meaning = f"mean pass@1 on {suite}" + (f" ({language})" if language else "") if suite else "mean pass@1"
    return [_figure(card, "pass_at_1", "share", meaning) for card in cards]


def _most_measured(routes: Sequence[Route], evidence: Evidence) -> tuple[str, str | None]:
    """The suite and language that most of these routes were measured on; ties by name."""
    cards = (card for route in routes for card in evidence.of_revision(route.name, route.revision.id))
    counts = Counter((card.suite, card.language) for card in cards if not card.partial)
    return min(counts, key=lambda key: (-counts[key], key), default=("", None))


def _first_tokens(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> list[Figure]:
    suite, language = policy.suite or (None, None)
    cards = [timed_scorecard(evidence, route, suite, language) for route in routes]
    return [_figure(card, "ttft_p50_ms", "ms", "to the first token at p50") for card in cards]


def _figure(card: Scorecard | None, name: Literal["pass_at_1", "ttft_p50_ms"], unit: Unit, meaning: str) -> Figure:
    if card is None or card.partial:
        return Figure(None, unit, meaning)
    value: float | None = getattr(card, name)
    return Figure(value, unit, meaning, card.run_id)


_FIGURES: dict[Objective, Callable[[Policy, Sequence[Route], Evidence], list[Figure]]] = {
    "cheapest": _blended_prices,
    "most_accurate": _means,
    "fastest": _first_tokens,
}
