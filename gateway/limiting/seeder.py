"""Tells a Valkey that knows nothing, or has forgotten, what the ledger says was spent. In the parent process."""

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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
        """What is in a store that it shares, it tells for the other gateways, too: one may be gone for good, or come
        later, and adds then what is missing. Raises ``ValkeyError``.
        """
        if await self._valkey.ask("SISMEMBER", LEDGERS, self._ledger):
            return
        await self._drain.once()  # what is still in a spool was spent too
        now = datetime.fromtimestamp(int((await self._valkey.ask("TIME"))[0]), UTC)  # whose windows they are
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        spent = await self._store.spending(day.timestamp(), day.replace(day=1).timestamp())
        own, others = self._by_ledger(spent)
        epoch = secrets.token_hex(8)
        for ledger, sums in others.items():
            await self._tell(ledger, epoch, sums)
        await self._tell(self._ledger, epoch, own)
        log.info("valkey was told what was spent", extra={"accounts": len(own), "other_ledgers": len(others)})

    def _by_ledger(self, spent: Iterable[Spending]) -> tuple["_Sums", dict[str, "_Sums"]]:
        """What this gateway has recorded, rows that name nobody among it, and what each other has."""
        ledgers = defaultdict(list)
        for each in spent:
            ledgers[each.ledger or self._ledger].append(each)
        own = _by_account(ledgers.pop(self._ledger, []))
        return own, {ledger: _by_account(theirs) for ledger, theirs in ledgers.items()}

    async def _tell(self, ledger: str, epoch: str, sums: "_Sums") -> None:
        accounts = list(sums.items())
        for start in range(0, len(accounts), _BATCH):
            await self._run(ledger, epoch, accounts[start : start + _BATCH], "")
        if ledger == self._ledger:
            await self._run(ledger, epoch, [], "last")

    async def _run(self, ledger: str, epoch: str, sums: Sequence[tuple[str, tuple[int, int]]], last: str) -> None:
        keys = [LEDGERS, EPOCH]
        args: list[str | bytes | int] = [ledger, epoch, last, "own" if ledger == self._ledger else "other"]
        for account, (day, month) in sums:
            keys.append(hash_key(account))
            args += [day, month]
        await self._script.run(self._valkey, keys, args)


_Sums = Mapping[str, tuple[int, int]]
"""Nano-dollars of the day and of the month, by account."""


def _by_account(spent: Iterable[Spending]) -> _Sums:
    sums: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for each in spent:
        for name in names_of(each.key_id, each.team, each.customer):
            day, month = sums[name]
            sums[name] = (day + each.day, month + each.month)
    return dict(sums)
