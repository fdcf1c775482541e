"""What requests of the past would have cost and solved under another policy, as far as the ledger tells."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from backends.route import Route
from backends.usage import Usage
from policies.admission import Admission
from policies.correctness import Correctness
from policies.decide import CompiledPolicy
from policies.request import RequestTraits
from policies.scorecard import Evidence, Scorecard
from policies.snapshot import Snapshot

_CONFIDENCE = 0.95
_Row = TypeVar("_Row", Scorecard, Admission)


@dataclass(frozen=True, slots=True)
class Past:
    """One request that was answered: by which route and revision, at what cost in nano-dollars."""

    route: str
    revision: str
    usage: Usage
    cost_nanousd: int
    language: str | None = None
    session: str | None = None
    draw: int = 0
    """As in RequestTraits."""

    def traits(self, previous: str | None) -> RequestTraits:
        """What the answer came to stands for ``max_tokens``, which is not recorded; nor is what the request needs."""
        usage = self.usage
        return RequestTraits(usage.input_tokens, usage.output_tokens, self.language, draw=self.draw, previous=previous)


@dataclass(slots=True)
class Side:
    """The requests that were decided anew: as they were answered, or as the policy would have them answered."""

    cost_nanousd: int = 0
    cells: Counter[tuple[str, str, str | None]] = field(default_factory=Counter)
    """Requests by route, revision and language."""
    costs: Counter[str] = field(default_factory=Counter)
    """Nano-dollars by route."""

    @property
    def routes(self) -> Counter[str]:
        """Requests by route."""
        counts: Counter[str] = Counter()
        for (route, _, _), requests in self.cells.items():
            counts[route] += requests
        return counts

    def add(self, route: str, revision: str, language: str | None, cost_nanousd: int) -> None:
        self.cells[route, revision, language] += 1
        self.costs[route] += cost_nanousd
        self.cost_nanousd += cost_nanousd


@dataclass(frozen=True, slots=True)
class Solved:
    """The share of requests that pass@1 on a suite lets expect to be solved, of those whose route has one.

    ``interval`` holds all the scorecards' own intervals together with 95%: each stands at 1 - 0.05 / their number
    (Bonferroni). It says nothing of how requests differ from the suite's tasks.
    """

    requests: int
    by_language: int
    """Of which by a scorecard in the request's own language, and not by the whole suite's."""
    share: float
    interval: tuple[float, float]


@dataclass(slots=True)
class Simulation:
    before: Side = field(default_factory=Side)
    after: Side = field(default_factory=Side)
    refused: int = 0
    """Requests for which the policy has no route: they are on neither side."""
    moved: int = 0
    """To another route than the one that answered."""

    @property
    def requests(self) -> int:
        return self.before.cells.total()


def simulate(policy: CompiledPolicy, past: Iterable[Past]) -> Simulation:
    """Decides every request anew, in its order, as if every route served. Sessions stay where the policy sticks."""
    found = Simulation()
    sessions: dict[str, str] = {}
    for request in past:
        previous = sessions.get(request.session) if request.session is not None else None
        decision = policy.decide(request.traits(previous))
        if not decision.routes:
            found.refused += 1
            continue
        route = decision.routes[0]
        if request.session is not None and policy.policy.stick is not None:
            sessions[request.session] = route.name
        found.moved += route.name != request.route
        found.before.add(request.route, request.revision, request.language, request.cost_nanousd)
        found.after.add(route.name, route.revision.id, request.language, _cost(route, request))
    return found


def solved(side: Side, suite: str, evidence: Evidence) -> Solved | None:
    """None where no route of the side was scored on ``suite``."""
    cards: list[tuple[Scorecard, int]] = []
    by_language = 0
    for (route, revision, language), requests in side.cells.items():
        own = evidence.scorecard(route, revision, suite, language) if language is not None else None
        card = own if _is_scored(own) else evidence.scorecard(route, revision, suite, None)
        if card is not None and _is_scored(card):
            cards.append((card, requests))
            by_language += requests if card is own else 0
    total = sum(requests for _, requests in cards)
    if not total:
        return None
    distinct = len({(card.route, card.revision, card.language) for card, _ in cards})
    intervals = [Correctness.of(card).interval(1 - (1 - _CONFIDENCE) / distinct) or (0.0, 1.0) for card, _ in cards]
    low, high = (
        sum(bounds[end] * requests for bounds, (_, requests) in zip(intervals, cards, strict=True)) / total
        for end in (0, 1)
    )
    share = sum((card.pass_at_1 or 0.0) * requests for card, requests in cards) / total
    return Solved(total, by_language, share, (low, high))


def at_revisions(evidence: Snapshot, routes: Sequence[Route], served: Mapping[str, str]) -> Snapshot:
    """With every route's evidence under the revision that ``routes`` declare, too.

    A file does not know what servers were observed to be: ``served`` says which revision of a route was the last one.
    """
    declared = {route.name: route.revision.id for route in routes}
    changed = {route: revision for route, revision in served.items() if declared.get(route, revision) != revision}
    return replace(
        evidence,
        scorecards=(*evidence.scorecards, *_copies(evidence.scorecards, changed, declared)),
        watched=(*evidence.watched, *_copies(evidence.watched, changed, declared)),
    )


def _copies(rows: Iterable[_Row], served: Mapping[str, str], declared: Mapping[str, str]) -> list[_Row]:
    return [replace(row, revision=declared[row.route]) for row in rows if served.get(row.route) == row.revision]


def _is_scored(card: Scorecard | None) -> bool:
    return card is not None and card.pass_at_1 is not None and not card.partial


def _cost(route: Route, request: Past) -> int:
    """What the provider had cached is only known of the route that answered."""
    usage = request.usage
    return route.price.cost(usage if route.name == request.route else Usage(usage.input_tokens, usage.output_tokens))
