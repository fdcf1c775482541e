"""Tells a Valkey that knows nothing, or has forgotten, what the ledger says was spent. In the parent process."""

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from gateway.ledger.drain import Drain
from gateway.limiting.account import EPOCH, LEDGERS, hash_key, names_of
from gateway.script import Script
from gateway.store.spending import Spending
from gateway.store.store import Store
from gateway.valkey import Valkey, ValkeyError

log = logging.getLogger("weighbridge.limits")

LOOK_EVERY_S = 0.5
_HERE = Path(__file__).parent
_BATCH = 500


class Seeder:
    """Until it has told, no request is admitted that a budget is asked of."""

    def __init__(self, valkey: Valkey, store: Store, drain: Drain, ledger: str) -> None:
        self._valkey = valkey
        self._store = store
        self._drain = drain
        self._ledger = ledger
        self._script = Script(_HERE / "account.lua", _HERE / "seed.lua")

    async def watch(self) -> None:
        while True:
            try:
                await self.look()
            except ValkeyError as error:
                log.debug("valkey cannot be told what was spent: %s", error)  # the workers say that it is away
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Raises ``ValkeyError``."""
        if await self._valkey.ask("SISMEMBER", LEDGERS, self._ledger):
            return
        await self._drain.once()  # what is still in a spool was spent too
        now = datetime.fromtimestamp(int((await self._valkey.ask("TIME"))[0]), UTC)  # whose windows they are
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        spent = await self._store.spending(day.timestamp(), day.replace(day=1).timestamp())
        sums = list(_by_account(spent).items())
        epoch = secrets.token_hex(8)
        for start in range(0, len(sums), _BATCH):
            await self._tell(epoch, sums[start : start + _BATCH], last=False)
        await self._tell(epoch, [], last=True)
        log.info("valkey was told what was spent", extra={"accounts": len(sums)})

    async def _tell(self, epoch: str, sums: list[tuple[str, tuple[int, int]]], *, last: bool) -> None:
        keys = [LEDGERS, EPOCH]
        args: list[str | bytes | int] = [self._ledger, epoch, int(last)]
        for account, (day, month) in sums:
            keys.append(hash_key(account))
            args += [day, month]
        await self._script.run(self._valkey, keys, args)


def _by_account(spent: Iterable[Spending]) -> dict[str, tuple[int, int]]:
    sums: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for each in spent:
        for name in names_of(each.key_id, each.team, each.customer):
            day, month = sums[name]
            sums[name] = (day + each.day, month + each.month)
    return dict(sums)
