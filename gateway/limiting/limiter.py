"""Admits requests of limited keys: one script reserves what a request may come to, one settles what it came to.

The scripts run in Valkey, on its clock, so limits are exact across workers and replicas. Reserving is on the request's
road, beside the cache's look-up; settling is behind the answer, and is made up for when Valkey was away.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from gateway.limiting.account import EPOCH, LEASES, LEDGERS, Account, hash_key
from gateway.limiting.demand import Demand
from gateway.limiting.hold import Arguments, Hold, Settlement
from gateway.limiting.leases import LEASE_S, Leases
from gateway.limiting.standing import Meter, Standing
from gateway.limits import WhenUnavailable
from gateway.problem import Problem
from gateway.script import Script
from gateway.valkey import Valkey, ValkeyError

log = logging.getLogger("weighbridge.limits")

REST_AFTER_FAILURE_S = 1.0
_HERE = Path(__file__).parent
_US = 1_000_000
_BATCH = 200
_REASONS = {
    "requests": "its requests a minute",
    "tokens": "its tokens a minute",
    "parallel": "its requests at the same time",
    "day": "its budget for the day",
    "month": "its budget for the month",
}
_BUDGETS = ("day", "month")


def reservation(
    accounts: Sequence[Account], request_id: str, demand: Demand, *, ledger: str, lease_us: int
) -> Arguments:
    """What ``reserve.lua`` is given."""
    asks_budget = any(account.has_budget for account in accounts)
    keys = [LEDGERS, EPOCH, LEASES]
    args: list[str | bytes | int] = [request_id, ledger if asks_budget else "", lease_us]
    args += [demand.worst, demand.input_cost, demand.output_price, demand.most_output, demand.input_tokens]
    for account in accounts:
        keys.append(hash_key(account.name))
        allowed = account.allowance
        args += [_or_none(allowed.rpm), _or_none(allowed.tpm), _or_none(allowed.parallel)]
        for budget in (allowed.day, allowed.month):
            args += [-1, 0] if budget is None else [budget.nanousd, int(budget.hard)]
    return keys, args


class Limiter:
    """``ledger`` names the ledger that this gateway's requests are booked in.

    ``on_failure`` is called whenever Valkey does not serve, ``on_overrun`` for a request that came to more than was
    reserved: with the kind of budget, `hard` or `soft`, and nano-dollars.
    """

    def __init__(
        self,
        valkey: Valkey,
        *,
        ledger: str,
        when_unavailable: WhenUnavailable,
        lease_s: float = LEASE_S,
        on_failure: Callable[[], None] = lambda: None,
        on_overrun: Callable[[str, int], None] = lambda kind, nanousd: None,
    ) -> None:
        self._valkey = valkey
        self._ledger = ledger
        self._leases = Leases(valkey, lease_s)
        self._when_unavailable = when_unavailable
        self._on_failure = on_failure
        self._on_overrun = on_overrun
        self._reserve = Script(_HERE / "account.lua", _HERE / "reserve.lua")
        self._settle = Script(_HERE / "account.lua", _HERE / "settle.lua")
        self._resting_until = 0.0
        self._unsettled: list[Settlement] = []
        self._settling: asyncio.Task[None] | None = None

    async def reserve(self, accounts: tuple[Account, ...], request_id: str, demand: Demand) -> Hold | None:
        """Raises ``Problem`` 429 where a limit is reached, 503 where that cannot be told and is not allowed.

        None: nothing is reserved, and the request goes on.
        """
        if time.monotonic() < self._resting_until:
            self._go_on_unlimited()
            return None
        keys, args = reservation(accounts, request_id, demand, ledger=self._ledger, lease_us=self._leases.lease_us)
        hold = Hold(accounts, request_id, demand, self._ended)
        try:
            reply = await self._reserve.run(self._valkey, keys, args)
        except ValkeyError as error:
            self._rest(error)
            hold.release()  # it may have arrived
            self._go_on_unlimited()
            return None
        except asyncio.CancelledError:
            hold.release()
            raise
        why, wait_us, number, epoch = reply[0].decode(), reply[1], reply[2], reply[3]
        if why == "unseeded":
            self._go_on_unlimited()
            return None
        standing = Standing(_meter(reply[4:7]), _meter(reply[7:10]), time.time())
        if why:
            raise _refusal(why, wait_us, accounts[number - 1], standing)
        hold = Hold(accounts, request_id, demand, self._ended, epoch, reply[10])
        hold.standing = standing
        self._leases.add(hold)
        return hold

    def _ended(self, hold: Hold, settlement: Settlement) -> None:
        self._leases.drop(hold)
        for kind, nanousd in hold.overruns(settlement.cost).items():
            self._on_overrun(kind, nanousd)
        self._unsettled.append(settlement)
        if self._settling is None:
            self._settling = asyncio.create_task(self._settle_behind())

    async def close(self) -> None:
        """Settles what is left, if Valkey takes it now; what it does not take lapses."""
        await self._leases.close()
        if self._settling is not None:
            self._settling.cancel()
            with suppress(asyncio.CancelledError):
                await self._settling
        with suppress(ValkeyError):
            while self._unsettled:
                await self._settle_batch()

    async def _settle_behind(self) -> None:
        """What comes meanwhile goes with the next batch."""
        try:
            while self._unsettled:
                try:
                    await self._settle_batch()
                except ValkeyError as error:
                    self._rest(error)
                    await asyncio.sleep(REST_AFTER_FAILURE_S)
        finally:
            self._settling = None

    async def _settle_batch(self) -> None:
        batch = self._unsettled[:_BATCH]
        await self._settle.run_all(self._valkey, [settlement.call() for settlement in batch])
        del self._unsettled[: len(batch)]

    def _go_on_unlimited(self) -> None:
        """Raises ``Problem`` 503 where that is not allowed."""
        if self._when_unavailable == "deny":
            message = "The limits of this key cannot be looked at at the moment; try again shortly."
            raise Problem(503, "limits_unavailable", message, retry_after=REST_AFTER_FAILURE_S)

    def _rest(self, error: BaseException) -> None:
        now = time.monotonic()
        if now >= self._resting_until:  # once, however many wait for it
            log.warning("valkey failed; limits cannot be looked at", extra={"reason": type(error).__name__})
        self._on_failure()
        self._resting_until = now + REST_AFTER_FAILURE_S


def _meter(reply: Sequence[int]) -> Meter | None:
    return Meter(*reply) if reply[0] >= 0 else None


def _or_none(limit: int | None) -> int:
    return -1 if limit is None else limit


def _refusal(why: str, wait_us: int, account: Account, standing: Standing) -> Problem:
    kind, _, name = account.name.partition(":")
    whose = "This API key" if kind == "key" else f"The {kind} {name!r}"
    message = f"{whose} has used up {_REASONS[why]}. Try again as Retry-After says."
    code = "insufficient_quota" if why in _BUDGETS else "rate_limit_exceeded"
    problem = Problem(429, code, message, retry_after=wait_us / _US)
    problem.standing = standing
    problem.worth_retrying = why not in _BUDGETS
    return problem
