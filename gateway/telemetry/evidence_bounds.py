"""What the evidence proves of each route, as metrics: bounds of pass@1, by suite and language."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.routing.router import Router
from gateway.telemetry.watched import watched
from policies.correctness import Correctness
from policies.scorecard import Scorecard

CONFIDENCE = 0.95

_Bounds = tuple[float, float]


class EvidenceBounds(Collector):
    """One a worker, so that a scorecard's bounds are computed once. Partial and published ones are left out."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._known: dict[tuple[str, ...], _Bounds] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = ("route", "suite", "language")
        mean = GaugeMetricFamily("weighbridge_pass_at_1", "Mean pass@1 at the route's revision", labels=labels)
        lower = GaugeMetricFamily(
            "weighbridge_pass_at_1_lower", "What pass@1 is at least, with 95% confidence", labels=labels
        )
        upper = GaugeMetricFamily(
            "weighbridge_pass_at_1_upper", "What pass@1 is at most, with 95% confidence", labels=labels
        )
        cards = list(self._cards())
        self._known = {_key(card): self._known.get(_key(card)) or _bounds(card) for card in cards}
        for card in cards:
            place = (card.route, card.suite, card.language)
            low, high = self._known[_key(card)]
            mean.add_metric(place, card.pass_at_1 or 0.0)
            lower.add_metric(place, low)
            upper.add_metric(place, high)
        yield from (mean, lower, upper)
        yield from watched(self._router)

    def _cards(self) -> Iterator[Scorecard]:
        for route in self._router.fleet.routes.values():
            for card in self._router.evidence.of_revision(route.name, route.revision.id):
                if card.pass_at_1 is not None and not card.partial:
                    yield card


def _key(card: Scorecard) -> tuple[str, ...]:
    return card.run_id, card.route, card.revision, card.suite, card.language, card.measured_at


def _bounds(card: Scorecard) -> _Bounds:
    """One-sided each: ``lower`` is what a gate at 95% goes by."""
    measured = Correctness.of(card)
    return measured.lower(CONFIDENCE), measured.upper(CONFIDENCE)
