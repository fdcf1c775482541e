"""Which server keeps the response that a request goes on from: vLLM holds responses in one server's memory.

What went out here is remembered. What did not, because another worker sent it or this one has just begun, is asked of
every server that may have it.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from backends.backend import BackendError, Call, Piece
from backends.route import Route
from gateway.fleet.fleet import Fleet

MOST = 10_000
_WITHIN_S = 5.0
_ID = re.compile(r"[A-Za-z0-9_=-]{1,256}")
_IN_ANSWER = re.compile(rb'"id": ?"([A-Za-z0-9_=-]{1,256})"')
_HEAD = 1024
"""Bytes of an event or a body in which the response's id stands."""


def continued(call: Call) -> str | None:
    """The id of the response that the call goes on from, if it does."""
    if call.wire != "responses" or "previous_response_id" not in call.fields:
        return None
    said = msgspec.json.decode(call.fields["previous_response_id"])
    return said if isinstance(said, str) and _ID.fullmatch(said) else None


class KeptResponses:
    """The last ``most`` responses with their servers' URLs; those that were used longest ago are forgotten first."""

    def __init__(self, fleet: Fleet, most: int = MOST) -> None:
        self._fleet = fleet
        self._most = most
        self._keepers: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keepers)

    def sent(self, call: Call, replica: str, first: Iterable[Piece]) -> None:
        """An answer to ``call`` begins so. Nothing is remembered of one that is not to be kept."""
        if "store" in call.fields and msgspec.json.decode(call.fields["store"]) is False:
            return
        found = next((match for piece in first if (match := _IN_ANSWER.search(piece.data, 0, _HEAD))), None)
        if found is not None:
            self._remember(found[1].decode(), replica)

    async def keeper(self, call: Call, servers: Mapping[str, Route]) -> str | None:
        """Which of ``servers``, by URL, has the response that the call goes on from; None where it goes on from none,
        where nobody has it, and where its keeper is down.
        """
        if (response_id := continued(call)) is None:
            return None
        if (known := self._keepers.get(response_id)) is None:
            known = await self._ask(response_id, servers)
            if known is None:
                return None
        self._remember(response_id, known)
        return known if known in servers and self._fleet.is_up(servers[known], known) else None

    async def _ask(self, response_id: str, servers: Mapping[str, Route]) -> str | None:
        has_it: Sequence[bool] = await asyncio.gather(
            *(self._has(response_id, url, route) for url, route in servers.items())
        )
        return next((url for url, has in zip(servers, has_it, strict=True) if has), None)

    async def _has(self, response_id: str, url: str, route: Route) -> bool:
        try:
            async with asyncio.timeout(_WITHIN_S):
                said = await self._fleet.backend(route).stored(route, url, "GET", f"/v1/responses/{response_id}")
        except (TimeoutError, BackendError):
            return False  # the request itself will show what is wrong there
        return said is not None and said.status < 300

    def _remember(self, response_id: str, url: str) -> None:
        self._keepers[response_id] = url
        self._keepers.move_to_end(response_id)
        if len(self._keepers) > self._most:
            self._keepers.popitem(last=False)
