"""The routes of a policy that is of a kind of its own, in its order, each with the figure that it goes by."""

from collections.abc import Sequence
from dataclasses import dataclass

from backends.route import Route
from policies.canary import growth
from policies.dealing import Seat, seat
from policies.kinds import Canary, Fallback, Weighted
from policies.objectives import Figure, order
from policies.policy import Policy
from policies.scorecard import Evidence

_NOT_NAMED = Figure(None, "share", "of the sessions: the policy does not name it")


@dataclass(frozen=True, slots=True)
class Plan:
    """``figures`` of all routes, best first. With ``seats`` each session has an order of its own."""

    figures: list[tuple[Route, Figure]]
    seats: tuple[Seat, ...] = ()
    reserved: frozenset[str] = frozenset()
    """Routes that get what they are dealt and stand in for no other, not even where ``otherwise`` decides."""


def plan(policy: Policy, routes: Sequence[Route], evidence: Evidence) -> Plan:
    match policy.kind:
        case None:
            return Plan(order(policy.objective, policy, routes, evidence))
        case Fallback(names):
            places = {name: Figure(place, "place", "in the list") for place, name in enumerate(names, 1)}
            return Plan(_ranked(routes, places, reverse=False))
        case Weighted(weights):
            return _weighted(policy, weights, routes)
        case Canary() as canary:
            return _canary(policy, canary, routes, evidence)


def _weighted(policy: Policy, weights: Sequence[tuple[str, float]], routes: Sequence[Route]) -> Plan:
    whole = sum(weight for _, weight in weights)
    shares = {
        name: Figure(weight / whole, "share", f"of the sessions: weight {weight:g} of {whole:g}")
        for name, weight in weights
    }
    seats = tuple(seat(policy.name, name, weight) for name, weight in weights)
    return Plan(_ranked(routes, shares, reverse=True), seats)


def _canary(policy: Policy, canary: Canary, routes: Sequence[Route], evidence: Evidence) -> Plan:
    """The candidate stands in for the stable route only once it has everything: else its share would not be a bound."""
    grown = growth(canary, {route.name: route for route in routes}, evidence)
    whole = grown.share >= 1
    seats = (
        seat(policy.name, canary.stable, 1 - grown.share),
        seat(policy.name, canary.candidate, grown.share, stands_in=whole),
    )
    figures = {
        canary.stable: Figure(1 - grown.share, "share", "of the sessions: the rest"),
        canary.candidate: Figure(grown.share, "share", f"of the sessions: {grown.reason}", grown.run_id, grown.origin),
    }
    reserved = frozenset[str]() if whole else frozenset((canary.candidate,))
    return Plan(_ranked(routes, figures, reverse=True), seats, reserved)


def _ranked(routes: Sequence[Route], figures: dict[str, Figure], *, reverse: bool) -> list[tuple[Route, Figure]]:
    """The named ones by their figure, ties by name; the others last."""
    sign = -1 if reverse else 1

    def rank(route: Route) -> tuple[bool, float, str]:
        value = figures[route.name].value if route.name in figures else None
        return value is None, sign * (value or 0), route.name

    return [(route, figures.get(route.name, _NOT_NAMED)) for route in sorted(routes, key=rank)]
