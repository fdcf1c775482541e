"""Replicas tell each other of keys through Valkey. Each keeps all of them itself: none needs Valkey to serve."""

import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.keys.key import VirtualKey
from gateway.script import Script
from gateway.valkey import Valkey

_HERE = Path(__file__).parent
_KEYS = [f"weighbridge:keys:{name}" for name in ("epoch", "sequence", "records", "changes")]
_BATCH = 500


class Exchange:
    """``told`` asks for news; ``tell`` gives them. Both raise ``ValkeyError``."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._publish = Script(_HERE / "publish.lua")
        self._changes = Script(_HERE / "changes.lua")
        self._decode = msgspec.json.Decoder(VirtualKey).decode
        self._epoch = b""
        self._seen = 0

    async def told(self) -> tuple[bool, list[VirtualKey]]:
        """Whether Valkey is another one than last time, or has forgotten; and the keys that changed since then."""
        epoch, seen, records = await self._changes.run(self._valkey, _KEYS, [self._epoch, self._seen])
        other = epoch != self._epoch or not epoch
        keys = [self._decode(record) for record in records]
        self._epoch, self._seen = epoch, seen
        return other, keys

    async def tell(self, keys: Sequence[VirtualKey]) -> None:
        for start in range(0, len(keys), _BATCH):
            args: list[str | bytes | int] = [secrets.token_hex(8)]
            for key in keys[start : start + _BATCH]:
                args += [key.id, msgspec.json.encode(key)]
            await self._publish.run(self._valkey, _KEYS, args)
