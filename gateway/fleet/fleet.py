"""The routes as they really serve: which replicas are there, and at which revision.

Every replica is asked who it is, again and again. The replicas that agree with the most form the route's revision; one
that differs is a different revision and gets no traffic, so that no answer carries a revision that did not make it.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from backends.backend import Backend, BackendError, Load
from backends.route import Route
from gateway.fleet.affinity import Affinity, Outcome
from gateway.fleet.replica import Replica
from gateway.pipeline.session import Conversation

log = logging.getLogger("weighbridge.fleet")

OBSERVE_EVERY_S = 5.0
OBSERVE_AGAIN_S = 0.5
OBSERVE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class _Member:
    declared: Route
    backend: Backend
    replicas: dict[str, Replica]
    affinity: Affinity | None
    """None where there is nothing to choose."""

    def as_observed(self) -> Route:
        seen = Counter(r.revision.id for r in self.replicas.values() if r.revision is not None)
        if not seen:
            return self.declared
        most = seen.most_common(1)[0][0]  # ties go to the replica named first
        if len(seen) > 1:
            log.warning("replicas differ in revision", extra={"route": self.declared.name, "revisions": dict(seen)})
        known = (r.revision for r in self.replicas.values() if r.revision is not None)
        return replace(self.declared, revision=next(revision for revision in known if revision.id == most))


class Fleet:
    """Serving state of every configured route. ``on_change`` is called when a revision or a health changes."""

    def __init__(
        self, routes: Mapping[str, Route], backends: Mapping[str, Backend], before: "Fleet | None" = None
    ) -> None:
        """``before``: the fleet that this one replaces. What it knows of a replica that stays is known here too."""
        known = before._members if before is not None else {}
        self._members: dict[str, _Member] = {
            name: _member(route, backends[route.backend], known.get(name)) for name, route in routes.items()
        }
        self._backends = backends
        self.on_change: Callable[[], None] = lambda: None
        self.on_placed: Callable[[str, Outcome], None] = lambda route, outcome: None
        """Called with each attempt at a route that has a choice of replicas."""
        self.started = False
        """The first request of each route will be as fast as any."""
        self.routes, self.available = self._seen()

    async def start(self) -> None:
        await asyncio.gather(*(backend.start() for backend in self._backends.values()))
        self.started = True

    def backend(self, route: Route) -> Backend:
        return self._backends[route.backend]

    def has_affinity(self, route: Route) -> bool:
        return self._members[route.name].affinity is not None

    def is_up(self, route: Route, url: str) -> bool:
        return self._members[route.name].replicas[url].up

    def replicas(self, route: Route, conversation: Conversation | None = None) -> list[str]:
        """Where to try a route, best first: of its revision, trusted, where ``conversation`` belongs, else with the
        fewest requests outstanding."""
        member = self._members[route.name]
        replicas = list(member.replicas.values())
        if len(replicas) == 1:
            return [replicas[0].url]
        fit = [r for r in replicas if r.revision is None or r.revision == route.revision] or replicas
        now = asyncio.get_running_loop().time()
        ranked = [r.url for r in sorted(fit, key=lambda r: (not r.up, not r.is_welcoming(now), r.outstanding))]
        trusted = [r for r in fit if r.up and r.is_welcoming(now)]
        if conversation is None or member.affinity is None or not trusted:
            return ranked
        least = min(r.outstanding for r in trusted)
        first = member.affinity.choose(conversation, {r.url: r.is_over(least) for r in trusted})
        return [first, *(url for url in ranked if url != first)]

    def is_busy(self, route: Route) -> bool:
        """None of its replicas has room for what can be left undone."""
        return all(replica.is_over(0) for replica in self._members[route.name].replicas.values())

    def health(self) -> Iterator[tuple[str, Replica]]:
        """Every replica as it stands, with the name of its route."""
        return ((name, replica) for name, member in self._members.items() for replica in member.replicas.values())

    def is_welcoming(self, route: Route, url: str) -> bool:
        """Nothing speaks against one more request there."""
        replica = self._members[route.name].replicas[url]
        return replica.up and replica.is_welcoming(asyncio.get_running_loop().time())

    def began(self, route: Route, url: str, conversation: Conversation | None = None) -> bool:
        """A request goes there, and ``ended`` will follow. True: it is the probe of a breaker that is half open."""
        member = self._members[route.name]
        replica = member.replicas[url]
        replica.outstanding += 1
        if member.affinity is not None:
            self.on_placed(route.name, member.affinity.placed(conversation, url) if conversation else "none")
        return replica.breaker.tripped and replica.breaker.began(asyncio.get_running_loop().time())

    def probe_answers(self, route: Route, url: str) -> None:
        self._members[route.name].replicas[url].breaker.probe_answers()
        log.info("replica's breaker closed", extra={"route": route.name, "replica": url})

    def ended(
        self,
        route: Route,
        url: str,
        error: BackendError | None = None,
        *,
        complete: bool = True,
        probe: bool = False,
    ) -> None:
        """What a request showed of its replica: one that fails is left out for a while, but never more than half.

        Not ``complete``: its client left, so that it shows nothing.
        """
        replicas = self._members[route.name].replicas
        replica = replicas[url]
        replica.outstanding -= 1
        if error is not None:
            tripped = sum(other.breaker.tripped for other in replicas.values())
            now = asyncio.get_running_loop().time()
            if replica.failed(error, now, probe=probe, may_open=(tripped + 1) * 2 <= len(replicas)):
                log.warning("replica ejected: its breaker is open", extra={"route": route.name, "replica": url})
        elif complete:
            replica.breaker.succeeded()
        else:
            replica.breaker.undecided(probe=probe)

    async def observe(self) -> None:
        """Asks every replica once, all at the same time."""
        members = self._members.values()
        await asyncio.gather(*(self._observe(m, r) for m in members for r in m.replicas.values()))
        seen = self._seen()
        if seen != (self.routes, self.available):
            self.routes, self.available = seen
            self.on_change()

    async def watch(self) -> None:
        """Observes for ever; sooner again while a replica is down."""
        while True:
            up = all(r.up for m in self._members.values() for r in m.replicas.values())
            await asyncio.sleep(OBSERVE_EVERY_S if up else OBSERVE_AGAIN_S)
            try:
                await self.observe()
            except Exception:
                log.exception("a look at the servers failed; the next one comes all the same")

    async def close(self) -> None:
        for backend in self._backends.values():
            await backend.close()

    def _seen(self) -> tuple[dict[str, Route], frozenset[str]]:
        """Routes at the revisions that were observed, and the names of those with a replica that is up."""
        routes = {name: member.as_observed() for name, member in self._members.items()}
        return routes, frozenset(name for name, m in self._members.items() if any(r.up for r in m.replicas.values()))

    async def _observe(self, member: _Member, replica: Replica) -> None:
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
        if not replica.up:
            replica.up = True
            replica.forgive()
        replica.revision = revision
        if member.affinity is not None:
            replica.load = await _load(member, replica)


async def _load(member: _Member, replica: Replica) -> Load | None:
    """What it says now; None where it does not say, or not in time."""
    try:
        async with asyncio.timeout(OBSERVE_TIMEOUT_S):
            return await member.backend.load(member.declared, replica.url)
    except (TimeoutError, BackendError):
        return None


def _member(route: Route, backend: Backend, before: _Member | None) -> _Member:
    """What is warm where stays known as long as the model does."""
    if not route.affinity or len(route.replicas) < 2:
        return _Member(route, backend, _replicas(route, before), None)
    known = before.affinity if before is not None and _is_observed_alike(before.declared, route) else None
    return _Member(route, backend, _replicas(route, before), known or Affinity())


def _replicas(route: Route, before: _Member | None) -> dict[str, Replica]:
    """By URL. Old and new fleet share a replica that stays: the requests outstanding there are those of both."""
    known = before.replicas if before is not None and _is_observed_alike(before.declared, route) else {}
    return {url: known.get(url) or Replica(url) for url in route.replicas or ("",)}


def _is_observed_alike(a: Route, b: Route) -> bool:
    """A replica's revision as it was observed for ``a`` is its revision for ``b``."""
    return (a.backend, a.model, a.revision, a.recording) == (b.backend, b.model, b.revision, b.recording)
