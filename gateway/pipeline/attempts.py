"""Trying a decision's routes in order until one begins to answer."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from backends.backend import Answer, BackendError, Call, Deliver, Piece
from backends.route import Route
from gateway.fleet.fleet import Fleet
from gateway.fleet.kept_responses import KeptResponses, continued
from gateway.ledger.events import AttemptDetail
from gateway.limits import Limits
from gateway.pipeline.account import Spent, complete_usage
from gateway.pipeline.adapt import adapted
from gateway.pipeline.retry import LONGEST_WAIT_S, MAX_RETRIES, RetryBudget, backoff_s
from gateway.pipeline.session import Conversation, conversation_of
from gateway.pipeline.upstream_problem import is_worth_retrying, to_problem

_GAP_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attempt goes."""

    route: Route
    replica: str
    conversation: Conversation | None = None
    """Known where the route has a choice of replicas."""


@dataclass(slots=True)
class Started:
    """An answer whose first content is here; the rest is still to be read."""

    place: Place
    began: float
    answer: Answer
    first: list[Piece]
    ttft_ms: float


class Attempts:
    """At most ``MAX_RETRIES`` repetitions, within the budget and the whole request's deadline."""

    def __init__(self, fleet: Fleet, limits: Limits) -> None:
        self._fleet = fleet
        self._limits = limits
        self._budget = RetryBudget()
        self._kept = KeptResponses(fleet)

    async def start(self, routes: Sequence[Route], call: Call, spent: Spent) -> Started:
        """The first answer that begins. Nothing has gone to the client yet, so any failure may be tried again.

        Raises ``Problem``: the last attempt's, with the shortest wait that any upstream named.
        """
        self._budget.active += 1
        try:
            places = self._places(routes, call)
            if call.wire != "responses" or len(places) == 1:
                return await self._start(places, call, spent)
            started = await self._start(await self._where_it_goes_on(call, places), call, spent)
            self._kept.sent(call, started.place.replica, started.first)
            return started
        finally:
            self._budget.active -= 1

    async def once(self, route: Route, call: Call, spent: Spent) -> Started:
        """The answer of one try, where nobody waits for another. Raises ``BackendError``, ``Problem``."""
        place = Place(route, self._fleet.replicas(route)[0])
        return await self._attempt(place, call, spent, time.monotonic() + self._limits.total_s)

    async def finish(self, started: Started, spent: Spent, input_tokens: int, deliver: Deliver) -> None:
        """Hands over every further batch as it comes; whatever happens, the answer is closed and its cost known.

        Must be called once for every answer that ``start`` or ``once`` gave. ``input_tokens`` stand for what nobody
        counted. Raises ``Problem``.
        """
        outcome = "client_left"
        try:
            await self._read_rest(started, deliver)
            if not started.answer.finished:
                raise BackendError("broken", "it ended without a finish reason")
            outcome = "ok"
        except BackendError as error:
            outcome = error.kind
            raise to_problem(error) from error
        finally:
            spent.usage, spent.usage_source = started.answer.usage, started.answer.usage_source
            complete_usage(spent, input_tokens)
            self._ended(started, spent, outcome)

    async def _read_rest(self, started: Started, deliver: Deliver) -> None:
        """Raises ``BackendError``, also at the total limit and at the gap limit, which is kept to a tenth."""
        if started.answer.finished and not started.answer.streamed:
            return
        now = asyncio.get_running_loop().time
        armed = now()
        last = armed + self._limits.total_s

        def take(batch: list[Piece]) -> None:
            nonlocal armed
            deliver(batch)
            if now() > armed + self._limits.gap_s * _GAP_TOLERANCE:  # not for each of a thousand chunks
                armed = now()
                deadline.reschedule(min(armed + self._limits.gap_s, last))

        try:
            async with asyncio.timeout_at(min(armed + self._limits.gap_s, last)) as deadline:
                await started.answer.read_into(take)
        except TimeoutError as error:
            raise BackendError("timeout", f"{started.place.route.name} stopped in the middle of its answer") from error

    def _ended(self, started: Started, spent: Spent, outcome: str) -> None:
        started.answer.close()
        cost, ttft_ms = spent.cost_nanousd, started.ttft_ms
        self._record(started.place, started.began, spent, outcome, cost_nanousd=cost, ttft_ms=ttft_ms)

    async def _start(self, places: list[Place], call: Call, spent: Spent) -> Started:
        deadline = time.monotonic() + self._limits.total_s
        waits: list[float] = []
        for number, place in enumerate(cycle(places)):
            try:
                return await self._attempt(place, call, spent, deadline)
            except BackendError as error:
                if error.retry_after is not None:
                    waits.append(error.retry_after)
                pause = _pause(number, places, error)
                late = time.monotonic() + pause >= deadline
                if number == MAX_RETRIES or late or not is_worth_retrying(error) or pause > LONGEST_WAIT_S:
                    raise to_problem(error, min(waits, default=None), continued(call)) from error
                await self._pause_within_budget(pause, error, waits)
        raise AssertionError("a decision has at least one place")

    async def _pause_within_budget(self, pause: float, error: BackendError, waits: list[float]) -> None:
        if not self._budget.take():
            raise to_problem(error, min(waits, default=None)) from error
        try:
            await asyncio.sleep(pause)
        finally:
            self._budget.give_back()

    async def _attempt(self, place: Place, call: Call, spent: Spent, deadline: float) -> Started:
        spent.route = place.route
        call = adapted(call, place.route)
        began = time.perf_counter()
        self._fleet.began(place.route, place.replica, place.conversation)
        try:
            answer, first = await self._begin(place, spent.onward(call, place.route), deadline)
        except BackendError as error:
            self._record(place, began, spent, error.kind, error.status, error)
            raise
        except asyncio.CancelledError:
            self._record(place, began, spent, "client_left")
            raise
        return Started(place, began, answer, first, (time.perf_counter() - began) * 1000)

    async def _begin(self, place: Place, call: Call, deadline: float) -> tuple[Answer, list[Piece]]:
        left = max(0.0, deadline - time.monotonic())
        limit = min(self._limits.first_token_s, left) if call.stream else left
        answer: Answer | None = None
        try:
            async with asyncio.timeout(limit):
                answer = await self._fleet.backend(place.route).send(place.route, place.replica, call)
                return answer, await _first_content(place.route, answer)
        except TimeoutError as error:
            _close(answer)
            raise BackendError("timeout", f"no answer from {place.route.name} within {limit:g} s") from error
        except BaseException:
            _close(answer)
            raise

    def _record(
        self,
        place: Place,
        began: float,
        spent: Spent,
        outcome: str,
        status: int | None = None,
        error: BackendError | None = None,
        cost_nanousd: int = 0,
        ttft_ms: float | None = None,
    ) -> None:
        """The attempt is over: the fleet learns from it, the ledger gets its line."""
        self._fleet.ended(place.route, place.replica, error)
        ms = (time.perf_counter() - began) * 1000
        name, revision = place.route.name, place.route.revision.id
        spent.attempts.append(
            AttemptDetail(name, place.replica, revision, outcome, ms, status, cost_nanousd, ttft_ms=ttft_ms)
        )

    def _places(self, routes: Sequence[Route], call: Call) -> list[Place]:
        chosen = any(map(self._fleet.has_affinity, routes))
        conversation = conversation_of(call) if chosen else None
        return [
            Place(route, replica, conversation)
            for route in routes
            for replica in self._fleet.replicas(route, conversation)
        ]

    async def _where_it_goes_on(self, call: Call, places: list[Place]) -> list[Place]:
        """Only where the response is that the call goes on from: anywhere else it would be unknown."""
        keeper = await self._kept.keeper(call, {place.replica: place.route for place in places})
        return places if keeper is None else [place for place in places if place.replica == keeper]


async def _first_content(route: Route, answer: Answer) -> list[Piece]:
    """Everything up to it."""
    first: list[Piece] = []
    while batch := await answer.read():
        first += batch
        if any(piece.content for piece in batch):
            return first
    if not answer.finished:
        raise BackendError("broken", f"{route.name} ended its answer before it began")
    return first


def _pause(number: int, places: list[Place], error: BackendError) -> float:
    """Seconds before the next attempt: none at a new place, else what the upstream asks for, or a jittered backoff."""
    if number + 1 < len(places):
        return 0.0
    return error.retry_after if error.retry_after is not None else backoff_s(number + 1)


def _close(answer: Answer | None) -> None:
    if answer is not None:
        answer.close()
