"""What watching has decided, as metrics."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.routing.router import Router
from policies.admission import Admission

_LABELS = ("route", "suite", "language", "at_least")
_STATES = {"admitted": 1.0, "probation": 0.5, "demoted": 0.0}


class Watched(Collector):
    """Of the revisions that serve; an empty ``language`` is the whole suite."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def collect(self) -> Iterator[GaugeMetricFamily]:
        admitted = GaugeMetricFamily(
            "weighbridge_admitted", "Whether watching admits a route at a bar: 1, 0.5 on probation, 0", labels=_LABELS
        )
        lower = GaugeMetricFamily("weighbridge_watched_lower", "What pass@1 was shown to be at least", labels=_LABELS)
        upper = GaugeMetricFamily("weighbridge_watched_upper", "What pass@1 was shown to be at most", labels=_LABELS)
        for row in _serving(self._router):
            place = (row.route, row.suite, row.language or "", f"{row.at_least:g}")
            admitted.add_metric(place, _STATES[row.state])
            lower.add_metric(place, row.low)
            upper.add_metric(place, row.high)
        yield from (admitted, lower, upper)


def _serving(router: Router) -> Iterator[Admission]:
    routes = router.fleet.routes
    for row in router.evidence.watched:
        if row.route in routes and routes[row.route].revision.id == row.revision:
            yield row
