"""Where a request's answer is looked for in the cache, and under what it is kept."""

import contextlib
import time

from backends.backend import TRACE_HEADERS
from backends.route import Route
from gateway.limits import Across
from gateway.pipeline import cache as answers
from gateway.pipeline.adapt import adapted
from gateway.pipeline.cache import NOTHING, AnswerCache, CacheScope, Entry, Found
from gateway.pipeline.cache_control import CacheControl
from gateway.pipeline.completeness import is_complete
from gateway.pipeline.flight import Flight
from gateway.pipeline.passage import Asked, Trip
from gateway.problem import Problem
from policies.verify import Verification


class KeptAnswers:
    """Without a ``cache`` nothing has a key."""

    def __init__(self, cache: AnswerCache | None, across: Across = "whole") -> None:
        self._cache = cache
        self._across = across

    def key(self, asked: Asked, route: Route, verify: Verification | None) -> str | None:
        if self._cache is None or asked.cache.bypass:
            return None
        call = adapted(asked.call, route)
        headers = tuple(item for item in sorted(call.headers.items()) if item[0] not in TRACE_HEADERS)
        mode = verify.mode if verify is not None else None
        scope = CacheScope(asked.tenant, route.name, route.revision.id, call.wire, headers, asked.form, mode)
        return answers.key(scope, call.fields)

    async def look_up(self, trip: Trip) -> Found:
        """In one round trip. Must be given back: ``Found.lease``."""
        if self._cache is None or trip.key is None or not trip.asked.cache.read:
            return NOTHING
        if self._is_waited_for(trip):
            found = await self._cache.look_up(trip.key, trip.asked.id)
        else:
            found = Found(await self._cache.get(trip.key))
        return NOTHING if found.entry is not None and _is_too_old(found.entry, trip.asked.cache) else found

    async def find_further(self, trip: Trip) -> tuple[Route, Entry] | None:
        """What passed verification, or what another worker came to, was perhaps not the first route's answer."""
        assert self._cache is not None
        for route in trip.choice.routes[1:]:
            with contextlib.suppress(Problem):  # the route declines such a request
                key = self.key(trip.asked, route, trip.choice.verify)
                entry = await self._cache.get(key) if key is not None else None
                if entry is not None and not _is_too_old(entry, trip.asked.cache):
                    return route, entry
        return None

    def keep(self, flight: Flight, trip: Trip) -> None:
        """Under the route that answered, which need not be the one that was looked up."""
        head = flight.head
        if self._cache is None or trip.key is None or flight.problem is not None or head is None:
            return
        if head.verify in ("failed", "unavailable"):
            return
        if not head.streamed and not is_complete(trip.asked.call.wire, b"".join(flight.pieces)):
            return
        same = head.route == trip.choice.routes[0]
        key = trip.key if same else self.key(trip.asked, head.route, trip.choice.verify)
        if key is not None:
            self._cache.put(key, head.content_type, flight.pieces, head.verify, flight.cost_nanousd or 0)

    def _is_waited_for(self, trip: Trip) -> bool:
        """A stream that is verified comes as late as a whole answer."""
        if self._across == "whole":
            return not trip.asked.call.stream or trip.choice.verify is not None
        return self._across == "all"


def _is_too_old(entry: Entry, control: CacheControl) -> bool:
    return control.max_age_s is not None and time.time() - entry.at > control.max_age_s
