"""Asks a second server where the first one is slow to begin: whoever has content first wins, the other is cancelled.

What the loser has cost is billed as what it is: its input at least, for a server reads that before it says anything.
"""

import asyncio
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from backends.backend import BackendError, Call
from backends.usage import Usage
from gateway.fleet.fleet import Fleet
from gateway.pipeline.account import Spent, complete_usage
from gateway.pipeline.attempt import Attempt, Place, Started
from gateway.pipeline.offered_tools import tool_types
from gateway.pipeline.retry import RetryBudget
from gateway.problem import Problem
from policies.hedge import Hedge

HEDGED_OUT = "hedged_out"
"""The outcome of an attempt that another was faster than."""
LEAST_TIMED = 20
"""Answers without which nobody knows how long 95 of 100 take."""
_TIMED = 200
_CLIENTS_OWN_TOOLS = frozenset(("function", "custom"))
_ACTS = frozenset(("background", "conversation", "previous_response_id", "mcp_servers", "container"))
"""Fields of requests that do something, or need something, at one server."""


def may_hedge(call: Call) -> bool:
    """Streams alone: a whole answer's first content is all of it. Nothing that a server keeps, or acts upon."""
    fields = call.fields
    if not call.stream or fields.keys() & _ACTS or not _CLIENTS_OWN_TOOLS.issuperset(tool_types(call)):
        return False
    stored = msgspec.json.decode(fields["store"]) if "store" in fields else call.wire == "responses"
    return stored in (False, None)


@dataclass(slots=True)
class _Runner:
    """One of the two, with an account of its own."""

    place: Place
    spent: Spent
    task: "asyncio.Task[Started]" = field(init=False)


class Hedging:
    def __init__(self, fleet: Fleet, attempt: Attempt, budget: RetryBudget) -> None:
        self._fleet = fleet
        self._attempt = attempt
        self._budget = budget
        self._paces: dict[str, deque[float]] = {}
        """Milliseconds to the first content, of each route's last answers."""

    async def begin(
        self, places: Sequence[Place], call: Call, spent: Spent, deadline: float, hedge: Hedge, input_tokens: int
    ) -> Started:
        """The first content, from the first place or the second. Raises ``BackendError``, ``Problem``.

        ``input_tokens``: an estimate, where the loser's server named none.
        """
        runners = [self._run(places[0], call, spent, deadline)]
        winner: _Runner | None = None
        try:
            if await self._is_late(runners[0], places, hedge):
                runners.append(self._run(places[1], call, spent, deadline))
            winner = await _first_to_begin(runners)
            self._timed(winner.place, winner.task.result().ttft_ms)
            return winner.task.result()
        finally:
            if len(runners) > 1:
                self._budget.give_back()
            for runner in runners:
                await self._settle(runner, winner, spent, input_tokens)
            if winner is not None:
                spent.route = winner.place.route

    async def _is_late(self, runner: _Runner, places: Sequence[Place], hedge: Hedge) -> bool:
        """And another may go; it counts in the retry budget then."""
        after_s = self._after_s(places[0], hedge)
        if after_s is None:
            return False
        await asyncio.wait({runner.task}, timeout=after_s)
        second = places[1]
        return not runner.task.done() and self._fleet.is_welcoming(second.route, second.replica) and self._budget.take()

    def _run(self, place: Place, call: Call, spent: Spent, deadline: float) -> _Runner:
        runner = _Runner(place, Spent(onward=spent.onward))
        runner.task = asyncio.create_task(self._attempt.begin(place, call, runner.spent, deadline))
        return runner

    def _after_s(self, place: Place, hedge: Hedge) -> float | None:
        if hedge.after_ms is not None:
            return hedge.after_ms / 1000
        pace = self._paces.get(place.route.name, ())
        if len(pace) < LEAST_TIMED:
            return None
        return sorted(pace)[math.ceil(0.95 * len(pace)) - 1] / 1000

    def _timed(self, place: Place, ms: float) -> None:
        self._paces.setdefault(place.route.name, deque(maxlen=_TIMED)).append(ms)

    async def _settle(self, runner: _Runner, winner: _Runner | None, spent: Spent, input_tokens: int) -> None:
        """Whoever has not won is cancelled, and what it has used is added to ``spent``."""
        own = runner.spent
        if runner is not winner:
            was_waited_for = not runner.task.done() or runner.task.exception() is None
            runner.task.cancel()
            await asyncio.wait({runner.task})
            if not runner.task.cancelled() and runner.task.exception() is None:
                self._attempt.abandon(runner.task.result(), own)
            if winner is not None and was_waited_for:
                _bill_the_loser(own, input_tokens)
                self._timed(runner.place, own.attempts[-1].ms)
        spent.route = runner.place.route
        own.set_aside()
        spent.attempts += own.attempts
        spent.add(own.others_nanousd, Usage(*own.others_tokens))


def _bill_the_loser(own: Spent, input_tokens: int) -> None:
    """What its server said that it has used, or else the input."""
    if own.usage is None:
        own.usage, own.usage_source = Usage(), "estimated"
    complete_usage(own, input_tokens)
    own.attempts[-1] = msgspec.structs.replace(
        own.attempts[-1],
        outcome=HEDGED_OUT,
        cost_nanousd=own.last_nanousd,
        usage=own.usage,
        usage_source=own.usage_source,
    )


async def _first_to_begin(runners: Sequence[_Runner]) -> _Runner:
    """Raises what the one said whose wait is the shortest, where none begins."""
    waiting = {runner.task for runner in runners}
    while waiting:
        _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for runner in runners:
            if runner.task.done() and runner.task.exception() is None:
                return runner
    errors = [error for runner in runners if (error := runner.task.exception()) is not None]
    raise min(errors, key=_wait_s)


def _wait_s(error: BaseException) -> float:
    told = error.retry_after if isinstance(error, BackendError | Problem) else None
    return math.inf if told is None else told
