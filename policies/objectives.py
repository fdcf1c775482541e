"""How a policy orders the routes that it kept."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, log
from typing import Literal

from backends.route import Route
from policies.costs import INPUT_SHARE, blended_price, cost_of
from policies.policy import Measure, Objective, Policy
from policies.requirements import pooled_languages, timed_scorecard
from policies.scorecard import Evidence, Origin, Scorecard

Unit = Literal["nanousd", "share", "ms", "score", "place"]


@dataclass(frozen=True, slots=True)
class Figure:
    """What an objective goes by for one route, as "``value`` in ``unit``, ``meaning``".

    ``value`` None was never measured, and orders last.
    """

    value: float | None
    unit: Unit
    meaning: str
    run_id: str | None = None
    origin: Origin | None = None


def order(
    objective: Objective, policy: Policy, routes: Iterable[Route], evidence: Evidence
) -> list[tuple[Route, Figure]]:
    """Best first, unmeasured last, ties by name."""
    routes = tuple(routes)
    figures = (
        _weighted(policy, routes, evidence)
        if objective == "weighted"
        else _FIGURES[objective](policy, routes, evidence)
    )
    sign = -1 if objective == "most_accurate" else 1

    def rank(pair: tuple[Route, Figure]) -> tuple[bool, float, str]:
        route, figure = pair
        return figure.value is None, sign * (figure.value or 0), route.name

    return sorted(zip(routes, figures, strict=True), key=rank)


def _blended_prices(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> list[Figure]:
    """Declared, so known before any run: a new route is not the dearest merely for being new."""
    meaning = f"per million tokens, {INPUT_SHARE} in to 1 out"
    return [Figure(blended_price(route), "nanousd", meaning) for route in routes]


def _means(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> list[Figure]:
    where, cards = _on_suite(policy, routes, evidence)
    means = [_mean(policy, route, card, evidence) for route, card in zip(routes, cards, strict=True)]
    how = ", pooled over languages" if policy.gate is not None and policy.gate.pooled else ""
    return [_figure(card, mean, "share", f"mean pass@1{where}{how}") for card, mean in zip(cards, means, strict=True)]


def _mean(policy: Policy, route: Route, card: Scorecard | None, evidence: Evidence) -> float | None:
    """As the policy's gate weighs it: a language with few tasks by those of the others, too, where it says so."""
    if card is None:
        return None
    if policy.gate is not None and policy.gate.pooled:
        pooled = pooled_languages(evidence, route, card.suite).get(card.language)
        return card.pass_at_1 if pooled is None else pooled.mean
    return card.pass_at_1


def _costs_of_solving(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> list[Figure]:
    """Measured, as a price knows nothing of failures or of how much a route has to say."""
    where, cards = _on_suite(policy, routes, evidence)
    costs = [None if card is None else cost_of("cost_per_solved_task", card) for card in cards]
    finite = [cost if cost is not None and isfinite(cost) else None for cost in costs]
    meaning = f"per solved task{where}"
    return [_figure(card, cost, "nanousd", meaning) for card, cost in zip(cards, finite, strict=True)]


def _first_tokens(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> list[Figure]:
    suite, language = policy.suite or (None, None)
    cards = [timed_scorecard(evidence, route, "ttft_p50_ms", suite, language) for route in routes]
    return [_figure(card, card.ttft_p50_ms if card else None, "ms", "to the first token at p50") for card in cards]


def _weighted(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> list[Figure]:
    """The sum of weights times logarithms, so that the order of two routes depends on no third one.

    Twice as good in a measure of weight 1 is as good as four times as good in one of weight 0.5.
    """
    measures = [(weight, _FIGURES[measure](policy, routes, evidence)) for measure, weight in policy.weights]
    meaning = "of " + " + ".join(f"{weight:g} x ln {measure}" for measure, weight in policy.weights)
    scores = []
    for index in range(len(routes)):
        terms = [_term(weight, figures[index]) for weight, figures in measures]
        known = [term for term in terms if term is not None]
        scores.append(Figure(sum(known) if len(known) == len(terms) else None, "score", meaning))
    return scores


def _term(weight: float, figure: Figure) -> float | None:
    """Less is better. What is free counts as a nano-dollar, and what never passed as one pass in a million."""
    if figure.value is None:
        return None
    if figure.unit == "share":
        return -weight * log(max(figure.value, 1e-6))
    return weight * log(max(figure.value, 1.0))


def _on_suite(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> tuple[str, list[Scorecard | None]]:
    """The policy's suite, or else the one that most routes were measured on: its name for people, and the cards."""
    suite, language = policy.suite or most_measured(routes, evidence)
    cards = [evidence.scorecard(route.name, route.revision.id, suite, language) for route in routes]
    return (f" on {suite}" + (f" ({language})" if language else "") if suite else ""), cards


def most_measured(routes: Sequence[Route], evidence: Evidence) -> tuple[str, str | None]:
    """The suite and language that most of these routes were measured on; ties by name."""
    cards = (card for route in routes for card in evidence.of_revision(route.name, route.revision.id))
    counts = Counter((card.suite, card.language) for card in cards if not card.partial and card.pass_at_1 is not None)
    return min(counts, key=lambda key: (-counts[key], key), default=("", None))


def _figure(card: Scorecard | None, value: float | None, unit: Unit, meaning: str) -> Figure:
    if card is None or card.partial:
        return Figure(None, unit, meaning)
    return Figure(value, unit, meaning, card.run_id, card.origin)


_FIGURES: dict[Measure, Callable[[Policy, Sequence[Route], Evidence], list[Figure]]] = {
    "cheapest": _blended_prices,
    "cheapest_per_solved_task": _costs_of_solving,
    "most_accurate": _means,
    "fastest": _first_tokens,
}
