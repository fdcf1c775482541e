"""One try at one place: begun, read to its end, and written down, whatever becomes of it."""

import asyncio
import time
from dataclasses import dataclass

from backends.backend import Answer, BackendError, Call, Deliver, Piece
from backends.route import Route
from gateway.fleet.fleet import Fleet
from gateway.ledger.events import AttemptDetail
from gateway.limits import Limits
from gateway.pipeline.account import Spent, complete_usage
from gateway.pipeline.adapt import adapted
from gateway.pipeline.session import Conversation
from gateway.pipeline.upstream_problem import to_problem

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
    """An answer whose first content is here; the rest is still to be read.

    ``deadline``: the event loop's time at which the whole request has to be over.
    """

    place: Place
    began: float
    answer: Answer
    first: list[Piece]
    ttft_ms: float
    deadline: float


class Attempt:
    """How to make one; any number at the same time."""

    def __init__(self, fleet: Fleet, limits: Limits) -> None:
        self._fleet = fleet
        self._limits = limits

    @property
    def deadline(self) -> float:
        """The event loop's time at which a request that begins now has to be over."""
        return asyncio.get_running_loop().time() + self._limits.total_s

    async def begin(self, place: Place, call: Call, spent: Spent, deadline: float) -> Started:
        """Returns with the first content. Raises ``BackendError``, ``Problem``."""
        spent.set_aside()
        spent.route = place.route
        call = adapted(call, place.route)
        began = time.perf_counter()
        probe = self._fleet.began(place.route, place.replica, place.conversation)
        try:
            answer, first = await self._first(place, spent.onward(call, place.route), spent, deadline)
        except BackendError as error:
            self._record(place, began, spent, error.kind, error.status, error, probe=probe)
            raise
        except BaseException:
            self._record(place, began, spent, "client_left", probe=probe)
            raise
        if probe:
            self._fleet.probe_answers(place.route, place.replica)
        return Started(place, began, answer, first, (time.perf_counter() - began) * 1000, deadline)

    async def finish(self, started: Started, spent: Spent, input_tokens: int, deliver: Deliver) -> None:
        """Hands over every further batch as it comes; whatever happens, the answer is closed and its cost known.

        Must be called once for every answer that ``begin`` gave. ``input_tokens`` stand for what nobody counted.
        Raises ``Problem``.
        """
        outcome, failure = "client_left", None
        try:
            await self._read_rest(started, deliver)
            if not started.answer.finished:
                raise BackendError("broken", "it ended without a finish reason")
            outcome = "ok"
        except BackendError as error:
            outcome, failure = error.kind, error
            raise to_problem(error) from error
        finally:
            spent.usage, spent.usage_source = started.answer.usage, started.answer.usage_source
            complete_usage(spent, input_tokens)
            started.answer.close()
            self._record(started.place, started.began, spent, outcome, error=failure, ttft_ms=started.ttft_ms)

    def abandon(self, started: Started, spent: Spent) -> None:
        """Closes an answer that nobody is going to read."""
        _give_up(started.answer, spent)
        self._record(started.place, started.began, spent, "client_left", ttft_ms=started.ttft_ms)

    async def _first(self, place: Place, call: Call, spent: Spent, deadline: float) -> tuple[Answer, list[Piece]]:
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        limit = min(self._limits.first_token_s, left) if call.stream else left
        answer: Answer | None = None
        try:
            async with asyncio.timeout(limit):
                answer = await self._fleet.backend(place.route).send(place.route, place.replica, call)
                return answer, await _first_content(place.route, answer)
        except TimeoutError as error:
            _give_up(answer, spent)
            raise BackendError("timeout", f"no answer from {place.route.name} within {limit:g} s") from error
        except BaseException:
            _give_up(answer, spent)
            raise

    async def _read_rest(self, started: Started, deliver: Deliver) -> None:
        """Raises ``BackendError``, also at the total limit and at the gap limit, which is kept to a tenth."""
        if started.answer.finished and not started.answer.streamed:
            return
        now = asyncio.get_running_loop().time
        armed = now()

        def take(batch: list[Piece]) -> None:
            nonlocal armed
            deliver(batch)
            if now() > armed + self._limits.gap_s * _GAP_TOLERANCE:  # not for each of a thousand chunks
                armed = now()
                limit.reschedule(min(armed + self._limits.gap_s, started.deadline))

        try:
            async with asyncio.timeout_at(min(armed + self._limits.gap_s, started.deadline)) as limit:
                await started.answer.read_into(take)
        except TimeoutError as error:
            raise BackendError("timeout", f"{started.place.route.name} stopped in the middle of its answer") from error

    def _record(
        self,
        place: Place,
        began: float,
        spent: Spent,
        outcome: str,
        status: int | None = None,
        error: BackendError | None = None,
        ttft_ms: float | None = None,
        *,
        probe: bool = False,
    ) -> None:
        """The attempt is over: the fleet learns from it, the ledger gets its line."""
        self._fleet.ended(place.route, place.replica, error, complete=outcome != "client_left", probe=probe)
        ms = (time.perf_counter() - began) * 1000
        route = place.route
        spent.attempts.append(
            AttemptDetail(
                route=route.name,
                replica=place.replica,
                revision=route.revision.id,
                outcome=outcome,
                ms=ms,
                status=status,
                cost_nanousd=spent.last_nanousd,
                ttft_ms=ttft_ms,
                model=route.model[:200],
                usage=spent.usage,
                usage_source=spent.usage_source,
            )
        )


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


def _give_up(answer: Answer | None, spent: Spent) -> None:
    """What the server said that it has used is owed, though nothing came of it."""
    if answer is not None:
        spent.usage, spent.usage_source = answer.usage, answer.usage_source
        answer.close()
