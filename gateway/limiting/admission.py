"""A limited key's requests, admitted while the cache is being asked."""

import asyncio

from backends.backend import Call
from gateway.keys.key import VirtualKey
from gateway.limiting.account import Shared
from gateway.limiting.budgets import Budgets
from gateway.limiting.demand import bounded, demand_of
from gateway.limiting.hold import Hold
from gateway.limiting.limiter import Limiter
from gateway.routing.router import Choice
from policies.request import RequestTraits


class Admitting:
    """``call`` is what goes upstream: with an end to its answer where that must have one."""

    def __init__(self, call: Call, reserving: "asyncio.Task[Hold | None]") -> None:
        self.call = call
        self._reserving = reserving
        self._taken = False

    async def hold(self) -> Hold | None:
        """Whoever takes it settles it. Raises ``Problem``."""
        hold = await self._reserving
        self._taken = True
        return hold

    def abandon(self) -> None:
        """Nobody will settle it, unless it was taken."""
        if not self._taken:
            self._reserving.add_done_callback(_release)


class Admission:
    """``budgets`` is there where a policy asks for what is left of them."""

    def __init__(self, limiter: Limiter, shared: Shared, budgets: Budgets | None = None) -> None:
        self.budgets = budgets
        self._limiter = limiter
        self._shared = shared

    def begin(
        self, key: VirtualKey, request_id: str, call: Call, traits: RequestTraits, choice: Choice
    ) -> Admitting | None:
        """None where nothing limits the key. Raises ``Problem`` 400."""
        accounts = self._shared.accounts(key)
        if not accounts:
            return None
        if any(account.has_hard_budget for account in accounts):
            call = bounded(call, choice.routes)
        hedged = choice.hedge is not None
        demand = demand_of(call, traits, choice.routes, all_of_them=choice.verify is not None, hedged=hedged)
        return Admitting(call, asyncio.create_task(self._limiter.reserve(accounts, request_id, demand)))

    async def close(self) -> None:
        await self._limiter.close()


def _release(reserving: "asyncio.Task[Hold | None]") -> None:
    if not reserving.cancelled() and reserving.exception() is None and (hold := reserving.result()) is not None:
        hold.release()
