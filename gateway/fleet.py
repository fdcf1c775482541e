"""The routes as they really serve: which replicas are there, and at which revision.

Every replica is asked who it is, again and again. The replicas that agree with the most form the route's revision; one
that differs is a different revision and gets no traffic, so that no answer carries a revision that did not make it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from backends.backend import Backend, BackendError
from backends.route import Revision, Route

log = logging.getLogger("weighbridge.fleet")

OBSERVE_EVERY_S = 5.0
OBSERVE_AGAIN_S = 0.5
OBSERVE_TIMEOUT_S = 2.0


@dataclass(slots=True)
class _Replica:
    url: str
    revision: Revision | None = None
    up: bool = False
    outstanding: int = 0


@dataclass(slots=True)
class _Member:
    declared: Route
    backend: Backend
    replicas: list[_Replica] = field(default_factory=list)


class Fleet:
    """Serving state of every configured route. ``on_change`` is called when a revision or a health changes."""

    def __init__(self, routes: Mapping[str, Route], backends: Mapping[str, Backend]) -> None:
        self._members = {name: _member(route, backends[route.backend]) for name, route in routes.items()}
        self._backends = backends
        self.routes: dict[str, Route] = dict(routes)
        self.available: frozenset[str] = frozenset()
        self.on_change: Callable[[], None] = lambda: None

    def backend(self, route: Route) -> Backend:
        return self._backends[route.backend]

    def replicas(self, route: Route) -> list[str]:
        """Where to try a route, best first: of its revision, fewest requests outstanding, those down last."""
        replicas = self._members[route.name].replicas
        fit = [r for r in replicas if r.revision is None or r.revision == route.revision] or replicas
        return [r.url for r in sorted(fit, key=lambda r: (not r.up, r.outstanding))]

    def began(self, route: Route, url: str) -> None:
        self._replica(route, url).outstanding += 1

    def ended(self, route: Route, url: str) -> None:
        self._replica(route, url).outstanding -= 1

    async def observe(self) -> None:
        """Asks every replica once, all at the same time."""
        await asyncio.gather(*(self._observe(m, r) for m in self._members.values() for r in m.replicas))
        routes = {name: _as_observed(member) for name, member in self._members.items()}
        available = frozenset(name for name, m in self._members.items() if any(r.up for r in m.replicas))
        if (routes, available) != (self.routes, self.available):
            self.routes, self.available = routes, available
            self.on_change()

    async def watch(self) -> None:
        """Observes for ever; sooner again while a replica is down."""
        while True:
            up = all(r.up for m in self._members.values() for r in m.replicas)
            await asyncio.sleep(OBSERVE_EVERY_S if up else OBSERVE_AGAIN_S)
            await self.observe()

    async def close(self) -> None:
        for backend in self._backends.values():
            await backend.close()

    async def _observe(self, member: _Member, replica: _Replica) -> None:
        try:
            async with asyncio.timeout(OBSERVE_TIMEOUT_S):
                revision = await member.backend.observe(member.declared, replica.url)
        except TimeoutError:
            return  # busy is not gone: the last word stands
        except BackendError as error:
            if replica.up:
                log.warning("replica down", extra={"route": member.declared.name, "reason": str(error)})
            replica.up = False
            return
        replica.up = True
        replica.revision = revision

    def _replica(self, route: Route, url: str) -> _Replica:
        return next(r for r in self._members[route.name].replicas if r.url == url)


def _member(route: Route, backend: Backend) -> _Member:
    return _Member(route, backend, [_Replica(url) for url in route.replicas or ("",)])


def _as_observed(member: _Member) -> Route:
    seen = Counter(r.revision.id for r in member.replicas if r.revision is not None)
    if not seen:
        return member.declared
    most = seen.most_common(1)[0][0]  # ties go to the replica named first
    if len(seen) > 1:
        log.warning("replicas differ in revision", extra={"route": member.declared.name, "revisions": dict(seen)})
    revision = next(r.revision for r in member.replicas if r.revision is not None and r.revision.id == most)
    return replace(member.declared, revision=revision)
