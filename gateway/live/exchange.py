"""Gateways that share a Valkey tell each other what their requests took, so that all go by all of them."""

import logging
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from gateway.live.sketch import FIRST, LAST
from gateway.script import Script
from gateway.valkey import Valkey

log = logging.getLogger("weighbridge.live")

LASTS_S = 15.0
"""What a gateway has told, it must tell again within this time."""

_TOLD = "weighbridge:live"
_Buckets = Mapping[Annotated[int, msgspec.Meta(ge=FIRST, le=LAST)], Annotated[int, msgspec.Meta(ge=1)]]


class Told(msgspec.Struct, frozen=True, array_like=True):
    """One gateway's last minutes of a route's revision: two sketches' buckets."""

    route: str
    revision: str
    first_token: _Buckets
    total: _Buckets


class LiveExchange:
    """In the parent process, off the road of requests."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._id = secrets.token_hex(8)
        self._script = Script(Path(__file__).parent / "tell.lua")
        self._decode = msgspec.json.Decoder(tuple[Told, ...]).decode

    async def others(self, own: Sequence[Told]) -> tuple[Told, ...]:
        """Tells what is ours, and hears what is theirs. Raises ``ValkeyError``."""
        args: list[str | bytes | int] = [self._id, round(LASTS_S * 1000), msgspec.json.encode(own)]
        return tuple(self._read(await self._script.run(self._valkey, [_TOLD], args)))

    def _read(self, rows: Sequence[bytes]) -> Iterator[Told]:
        for row in rows:
            try:
                yield from self._decode(row)
            except msgspec.DecodeError as error:  # of another version, maybe
                log.warning("a gateway's live times cannot be read", extra={"reason": str(error)})
