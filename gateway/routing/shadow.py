"""Shadows: requests are mirrored to a route whose answers nobody sees, once their clients have been answered.

They are the first to give way: none waits, none is tried again, and each is dropped where the worker is behind, the
route is busy, too many are under way, or the day's budget is used up.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from backends.backend import TRACE_HEADERS, BackendError, Call
from backends.route import Route
from backends.usage import Usage
from gateway.fleet.fleet import Fleet
from gateway.ledger.events import SHADOW
from gateway.ledger.spool import Spool
from gateway.limits import Limits
from gateway.pipeline.account import Account, Spent, new_request_id
from gateway.pipeline.attempts import Attempts
from gateway.pipeline.session import attributed
from gateway.pipeline.upstream_problem import to_problem
from gateway.problem import Problem
from gateway.routing.shadow_budget import DayBudget
from gateway.telemetry.observer import Observer
from policies.mirror import Mirror
from policies.request import RequestTraits

log = logging.getLogger("weighbridge.shadow")

Dropped = Literal["unfit", "at_once", "busy", "budget"]

_WIRES = frozenset(("chat", "completions", "messages", "responses"))
_PAUSE_S = 0.05
_LATE_S = 0.05
_LONGEST_ANSWER = 4096
"""Tokens that are reserved for where neither the request nor the route says how many it may have."""


@dataclass(frozen=True, slots=True)
class Original:
    """The request that a client has been answered."""

    tenant: str
    asked: str
    policy: str
    call: Call
    traits: RequestTraits


class Shadows:
    """One a worker. ``on_dropped`` is called with the policy's name and the reason."""

    def __init__(
        self,
        fleet: Fleet,
        limits: Limits,
        spool: Spool,
        observer: Observer,
        budget: DayBudget,
        on_dropped: Callable[[str, Dropped], None],
    ) -> None:
        self._fleet = fleet
        self._attempts = Attempts(fleet, limits)  # its own, so that no client's retries are counted against these
        self._spool = spool
        self._observer = observer
        self._budget = budget
        self._on_dropped = on_dropped
        self._under_way: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    def offer(self, original: Original, mirror: Mirror) -> None:
        """Mirrors it in the background, or drops it. Never raises."""
        if not _is_fit(original.call):
            self._on_dropped(original.policy, "unfit")
        elif self._under_way[original.policy] >= mirror.shadow.at_once:
            self._on_dropped(original.policy, "at_once")
        else:
            self._under_way[original.policy] += 1
            task = asyncio.create_task(self._follow(original, mirror))
            self._tasks.add(task)
            task.add_done_callback(lambda task: self._landed(task, original.policy))

    async def close(self) -> None:
        """Cancels what is under way; it is written down as left."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _landed(self, task: "asyncio.Task[None]", policy: str) -> None:
        self._tasks.discard(task)
        self._under_way[policy] -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a mirrored request failed inside the gateway", exc_info=error, extra={"policy": policy})

    async def _follow(self, original: Original, mirror: Mirror) -> None:
        now = asyncio.get_running_loop().time
        due = now() + _PAUSE_S
        await asyncio.sleep(_PAUSE_S)
        if now() - due > _LATE_S or self._fleet.is_busy(mirror.route):
            self._on_dropped(original.policy, "busy")
            return
        reserved = mirror.route.price.cost(_most(original.traits, mirror.route))
        day = self._budget.take(original.policy, reserved, mirror.shadow.nanousd_per_day)
        if day is None:
            self._on_dropped(original.policy, "budget")
            return
        spent = Spent()
        try:
            await self._carry(original, mirror, spent)
        finally:
            self._budget.settle(original.policy, day, _cost(spent, reserved) - reserved)

    async def _carry(self, original: Original, mirror: Mirror, spent: Spent) -> None:
        """A request of its own: with its row, its span and its line in the log."""
        call = original.call
        trace = [(name.encode(), value.encode()) for name, value in call.headers.items() if name in TRACE_HEADERS]
        observation = self._observer.begin(trace, call.wire)
        account = Account(
            self._spool,
            observation,
            request_id=new_request_id(),
            tenant=original.tenant,
            asked=original.asked,
            policy=SHADOW + original.policy,
            wire=call.wire,
            session=attributed(call.session),
        )
        spent.onward = observation.onward
        outcome, status = "client_left", 499
        try:
            account.open()
            await self._read(original, mirror.route, spent, account)
            outcome, status = "ok", 200
        except Problem as problem:
            outcome, status = problem.code, problem.status
        finally:
            account.settle(spent, outcome=outcome, status=status, cache="bypass", streamed=call.stream)
            observation.ended()

    async def _read(self, original: Original, route: Route, spent: Spent, account: Account) -> None:
        """To its end, keeping nothing. Raises ``Problem``."""
        try:
            started = await self._attempts.once(route, original.call, spent)
        except BackendError as error:
            raise to_problem(error) from error
        spent.ttft_ms = account.elapsed_ms
        await self._attempts.finish(started, spent, original.traits.input_tokens_estimate, lambda batch: None)


def _is_fit(call: Call) -> bool:
    """What another server keeps, or is to keep, cannot be asked of this one."""
    return call.wire in _WIRES and not call.fields.keys() & {"previous_response_id", "conversation", "background"}


def _most(traits: RequestTraits, route: Route) -> Usage:
    longest = traits.max_tokens or route.max_output_tokens or _LONGEST_ANSWER
    return Usage(traits.input_tokens_estimate, longest)


def _cost(spent: Spent, reserved: int) -> int:
    """What nobody told is taken for all that was reserved; what was never sent cost nothing."""
    if spent.usage is not None:
        return spent.cost_nanousd
    return reserved if any(attempt.outcome in ("ok", "client_left") for attempt in spent.attempts) else 0
