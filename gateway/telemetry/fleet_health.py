"""Which routes and replicas can be used, as metrics: as the worker that answers the scrape sees them."""

import asyncio
from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.fleet.breaker import State
from gateway.fleet.fleet import Fleet

_BREAKER: Mapping[State, int] = {"closed": 0, "half_open": 1, "open": 2}


class FleetHealth(Collector):
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Must be called in the event loop that the fleet lives in."""
        now = asyncio.get_running_loop().time()
        labels = ("route", "replica")
        route_up = GaugeMetricFamily("weighbridge_route_up", "1: a replica of it is up", labels=("route",))
        up = GaugeMetricFamily("weighbridge_replica_up", "1: the last health check found it up", labels=labels)
        ejected = GaugeMetricFamily(
            "weighbridge_replica_ejected", "1: it failed requests and gets none for a while", labels=labels
        )
        breaker = GaugeMetricFamily(
            "weighbridge_replica_breaker", "0: closed; 1: half open, one request goes to see; 2: open", labels=labels
        )
        for route in self._fleet.routes:
            route_up.add_metric((route,), route in self._fleet.available)
        for route, replica in self._fleet.health():
            up.add_metric((route, replica.url), replica.up)
            ejected.add_metric((route, replica.url), not replica.is_welcoming(now))
            breaker.add_metric((route, replica.url), _BREAKER[replica.breaker.state(now)])
        yield from (route_up, up, ejected, breaker)
