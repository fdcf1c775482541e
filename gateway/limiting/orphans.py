"""What a dead worker had reserved: settled as the ledger has it. In the parent process."""

import logging
from pathlib import Path

from gateway.keys.key import Allowance
from gateway.limiting.account import Account, names_of
from gateway.limiting.hold import Settlement
from gateway.script import Script
from gateway.store.spending import Charge
from gateway.store.store import Store
from gateway.valkey import Valkey, ValkeyError

log = logging.getLogger("weighbridge.limits")

_HERE = Path(__file__).parent
_BATCH = 200
_ANY = Allowance()


class Orphans:
    def __init__(self, valkey: Valkey, store: Store) -> None:
        self._valkey = valkey
        self._store = store
        self._script = Script(_HERE / "account.lua", _HERE / "settle.lua")

    async def settle(self, spool: str) -> None:
        """Of those that the worker settled itself Valkey has no hold any more: to it they are no news."""
        charges = await self._store.last_charges(spool)
        try:
            for start in range(0, len(charges), _BATCH):
                calls = [_settlement(charge).call() for charge in charges[start : start + _BATCH]]
                await self._script.run_all(self._valkey, calls)
        except ValkeyError as error:
            log.warning("what a dead worker had reserved lapses later", extra={"reason": str(error)})


def _settlement(charge: Charge) -> Settlement:
    names = names_of(charge.key_id, charge.team, charge.customer)
    accounts = tuple(Account(name, _ANY) for name in names)
    return Settlement(accounts, charge.id, b"", charge.nanousd, charge.input_tokens + charge.output_tokens)
