"""The register of keys, in the parent process: the store's, handed to the workers and exchanged with other replicas."""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.keys import keyring
from gateway.keys.exchange import Exchange
from gateway.keys.key import VirtualKey, merged
from gateway.store.outage import Outage
from gateway.store.store import Store
from gateway.store.trouble import StoreUnavailable
from gateway.valkey import ValkeyError

log = logging.getLogger("weighbridge.keys")

LOOK_EVERY_S = 0.5


class Register:
    """``exchange`` is None where there are no other replicas to tell.

    A change is in force, and in the workers' file on disk, whether the store takes it now or later.
    """

    def __init__(self, store: Store, file: Path, exchange: Exchange | None) -> None:
        self._store = store
        self._file = file
        self._exchange = exchange
        self._keys = {key.id: key for key in keyring.read(file)}
        self._unkept = dict(self._keys)
        self._untold: dict[str, VirtualKey] = {}
        self._changing = asyncio.Lock()
        self._outage = Outage(log, "changes of keys wait: the store does not take them")

    @property
    def keys(self) -> list[VirtualKey]:
        """The oldest first."""
        return sorted(self._keys.values(), key=lambda key: (key.created_at, key.id))

    async def open(self) -> None:
        """Learns the store's keys, and gives it what was changed without it. Raises ``StoreError``."""
        stored = {key.id: key for key in await self._store.keys()}
        self._unkept = {name: key for name, key in self._unkept.items() if stored.get(name) != key}
        async with self._changing:
            self._keys |= {name: merged(self._keys.get(name, key), key) for name, key in stored.items()}
            keyring.write(self._file, self._keys.values())
        await self._keep()

    async def look(self) -> None:
        """Learns what another gateway has written to the store. Raises ``StoreError``."""
        await self._learn(await self._store.keys())

    async def put(self, keys: Sequence[VirtualKey]) -> None:
        """New keys, or changed ones. On disk, and before the workers, when it returns."""
        self._untold |= {key.id: key for key in await self._take(keys)}
        await self._tell()

    async def revoke(self, key_id: str) -> VirtualKey | None:
        """None where there is no such key. To do it again changes nothing."""
        key = self._keys.get(key_id)
        if key is not None and key.revoked_at is None:
            key = msgspec.structs.replace(key, revoked_at=time.time(), changed_at=_after(key))
            await self.put([key])
        return key

    async def rotate(self, key_id: str, new_hash: str, old_until: float) -> VirtualKey | None:
        """None where there is no such key in force. The one that was is good until ``old_until``."""
        key = self._keys.get(key_id)
        if key is None or key.revoked_at is not None:
            return None
        key = msgspec.structs.replace(
            key, hash=new_hash, old_hash=key.hash, old_until=old_until, changed_at=_after(key)
        )
        await self.put([key])
        return key

    async def watch(self) -> None:
        """For ever: hears of other replicas' changes, and makes up for what they or the store could not be told."""
        while True:
            if self._exchange is not None:
                try:
                    await self._hear(self._exchange)
                except ValkeyError as error:
                    log.warning("no news of keys from other replicas", extra={"reason": str(error)})
                await self._tell()
            await self._keep()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _hear(self, exchange: Exchange) -> None:
        other, told = await exchange.told()
        await self._take(told)
        known = {key.id: key for key in told}
        ours = self._keys.values() if other else [self._keys[key_id] for key_id in known]
        self._untold |= {key.id: key for key in ours if known.get(key.id) != key}

    async def _take(self, keys: Sequence[VirtualKey]) -> list[VirtualKey]:
        """Those that changed something here, as they are now; into the store, too."""
        changed = await self._learn(keys)
        self._unkept |= {key.id: key for key in changed}
        await self._keep()
        return changed

    async def _learn(self, keys: Sequence[VirtualKey]) -> list[VirtualKey]:
        async with self._changing:
            now = {key.id: merged(self._keys.get(key.id, key), key) for key in keys}
            changed = [key for key in now.values() if self._keys.get(key.id) != key]
            if changed:
                known = self._keys | {key.id: key for key in changed}
                keyring.write(self._file, known.values())
                self._keys = known
        return changed

    async def _keep(self) -> None:
        """In a store that is shared another gateway's change may have been there already: then both are in force."""
        keeping = dict(self._unkept)
        if not keeping:
            return
        try:
            kept = await self._store.put_keys(list(keeping.values()))
        except StoreUnavailable as error:
            self._outage.failed(error)
            return
        self._outage.over()
        self._unkept = {name: key for name, key in self._unkept.items() if keeping.get(name) != key}
        await self._learn(kept)

    async def _tell(self) -> None:
        if self._exchange is None or not self._untold:
            self._untold.clear()
            return
        telling = dict(self._untold)
        try:
            await self._exchange.tell(list(telling.values()))
        except ValkeyError as error:
            log.warning("other replicas could not be told of keys yet", extra={"reason": str(error)})
            return
        self._untold = {name: key for name, key in self._untold.items() if telling.get(name) != key}


def _after(key: VirtualKey) -> float:
    """Now; but a clock that was set back lets no change look older than the one before it."""
    return max(time.time(), math.nextafter(key.changed_at, math.inf))
