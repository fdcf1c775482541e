"""A worker's reservations, which lapse where it falls silent: told to Valkey again and again, all of them at once.

So what a dead machine had reserved is free within ``LEASE_S`` and the half second in which somebody looks, and however
long a request takes, it keeps what it has. What Valkey has forgotten is held again.
"""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from gateway.limiting.account import EPOCH, LEASES, LOOKED, hash_key
from gateway.limiting.hold import Arguments, Hold
from gateway.script import Script
from gateway.valkey import Valkey, ValkeyError

log = logging.getLogger("weighbridge.limits")

LEASE_S = 8.0
RENEW_EVERY_S = 2.0
_LOOK_EVERY_S = 0.5
_LONGEST_GAP_S = 3.0
_REMEMBERED_S = 32 * 86_400  # longer than any window
_HERE = Path(__file__).parent
_BATCH = 200
_US = 1_000_000


class Leases:
    def __init__(self, valkey: Valkey, lease_s: float = LEASE_S) -> None:
        self.lease_us = int(lease_s * _US)
        self._valkey = valkey
        self._script = Script(_HERE / "account.lua", _HERE / "renew.lua")
        self._holds: dict[str, Hold] = {}
        self._renewing: asyncio.Task[None] | None = None

    def add(self, hold: Hold) -> None:
        self._holds[hold.request_id] = hold
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew_for_ever())

    def drop(self, hold: Hold) -> None:
        """To do it again changes nothing."""
        self._holds.pop(hold.request_id, None)

    async def renew(self) -> None:
        """Raises ``ValkeyError``."""
        await self._script.load(self._valkey)
        names = list(self._holds)
        for start in range(0, len(names), _BATCH):
            # Only what has not ended while the batch before was under way: nothing must be held again after its end.
            known = (self._holds.get(name) for name in names[start : start + _BATCH])
            batch = [hold for hold in known if hold is not None]
            epoch = await self._script.run(self._valkey, *_renewal(batch, self.lease_us))
            for hold in batch:
                hold.epoch = epoch

    async def close(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                await self.renew()
            except ValkeyError as error:
                log.debug("reservations could not be renewed: %s", error)  # whoever reserves says that it is away


def _renewal(holds: Iterable[Hold], lease_us: int) -> Arguments:
    keys = [EPOCH, LEASES]
    args: list[str | bytes | int] = [lease_us]
    for hold in holds:
        for account, reserved in zip(hold.accounts, hold.reserved, strict=True):
            keys.append(hash_key(account.name))
            args += [hold.request_id, reserved]
    return keys, args


class Sweeper:
    """Frees what has lapsed. In the parent process; each gateway's does it for all."""

    def __init__(self, valkey: Valkey, lease_s: float = LEASE_S) -> None:
        self._valkey = valkey
        self._args = (int(lease_s * _US), int(_LONGEST_GAP_S * _US), _BATCH, _REMEMBERED_S)
        self._script = Script(_HERE / "account.lua", _HERE / "sweep.lua")

    async def watch(self) -> None:
        while True:
            try:
                await self.sweep()
            except ValkeyError as error:
                log.debug("what has lapsed cannot be freed: %s", error)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def sweep(self) -> None:
        """After a gap of some seconds every lease begins anew. Raises ``ValkeyError``."""
        while await self._script.run(self._valkey, [LEASES, LOOKED], self._args) == _BATCH:
            pass
