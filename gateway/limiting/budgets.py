"""What is left of keys' budgets, for the policies that ask: a few seconds old at most."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.keys.key import Budget, VirtualKey
from gateway.limiting.account import LEDGERS, Account, Shared, hash_key
from gateway.script import Script
from gateway.valkey import Valkey, ValkeyError
from policies.budget import UNBUDGETED, BudgetLeft
from policies.request import RequestTraits

FRESH_S = 2.0
_HERE = Path(__file__).parent
_MILLION = 1_000_000


class Budgets:
    """``names``: of the policies that ask, and of their aliases."""

    def __init__(self, valkey: Valkey, shared: Shared, *, ledger: str, names: Collection[str]) -> None:
        self._valkey = valkey
        self._shared = shared
        self._ledger = ledger
        self._names = names
        self._script = Script(_HERE / "account.lua", _HERE / "left.lua")
        self._known: dict[str, tuple[float, BudgetLeft | None]] = {}

    async def told(self, traits: RequestTraits, model: str, key: VirtualKey | None) -> RequestTraits:
        """With what is left for ``key``, where a policy of the name ``model`` asks."""
        if key is None or model not in self._names:
            return traits
        return replace(traits, budget=await self._left(key))

    async def _left(self, key: VirtualKey) -> BudgetLeft | None:
        """None where nobody can say it; that is remembered too, so that no request waits for each other's timeout."""
        accounts = [account for account in self._shared.accounts(key) if account.has_budget]
        if not accounts:
            return UNBUDGETED
        now = asyncio.get_running_loop().time()
        asked_at, left = self._known.get(key.id, (-FRESH_S, None))
        if now - asked_at < FRESH_S:
            return left
        left = await self._ask(accounts)
        self._known[key.id] = (now, left)
        return left

    async def _ask(self, accounts: Sequence[Account]) -> BudgetLeft | None:
        args: list[str | bytes | int] = [self._ledger]
        for account in accounts:
            args += [_nanousd(account.allowance.day), _nanousd(account.allowance.month)]
        try:
            reply = await self._script.run(self._valkey, [LEDGERS, *(hash_key(each.name) for each in accounts)], args)
        except ValkeyError:
            return None
        return BudgetLeft(reply[0] / _MILLION, reply[1]) if reply else None


def asking_names(names: Mapping[str, bool], aliases: Mapping[str, str]) -> frozenset[str]:
    """Of policies by whether they ask: the names by which clients ask for those that do."""
    policies = {name for name, asks in names.items() if asks}
    return frozenset(policies | {alias for alias, target in aliases.items() if target in policies})


def _nanousd(budget: Budget | None) -> int:
    return -1 if budget is None else budget.nanousd
