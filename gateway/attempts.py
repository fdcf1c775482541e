"""Trying a decision's routes in order until one begins to answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from backends.backend import Answer, BackendError, Call, Piece
from backends.route import Route
from gateway.account import Spent
from gateway.fleet import Fleet
from gateway.ledger.events import AttemptDetail
from gateway.limits import Limits
from gateway.problem import Passthrough, Problem

MAX_ATTEMPTS = 3
_ELSEWHERE_STATUSES = frozenset((408, 429, 500, 502, 503, 504, 529))
_CLIENTS_OWN_STATUSES = frozenset((400, 409, 413, 415, 422))


@dataclass(slots=True)
class Started:
    """An answer whose first content is here; the rest comes from ``batches``."""

    route: Route
    answer: Answer
    first: list[Piece]
    batches: AsyncIterator[list[Piece]]


class Attempts:
    def __init__(self, fleet: Fleet, limits: Limits) -> None:
        self._fleet = fleet
        self._limits = limits

    async def start(self, routes: Sequence[Route], call: Call, spent: Spent) -> Started:
        """The first answer that begins. Nothing has gone to the client yet, so any failure may be tried elsewhere.

        Raises ``Problem``: the last attempt's.
        """
        failure = BackendError("refused", "no attempt was made")
        for route, replica in islice(self._places(routes), MAX_ATTEMPTS):
            spent.route = route
            began = time.perf_counter()
            self._fleet.began(route, replica)
            try:
                started = await self._attempt(route, replica, call)
            except BackendError as error:
                self._fleet.ended(route, replica)
                spent.attempts.append(_detail(route, replica, began, error))
                failure = error
                if not _worth_elsewhere(error):
                    break
            except asyncio.CancelledError:
                self._fleet.ended(route, replica)
                raise
            else:
                spent.attempts.append(_detail(route, replica, began, None))
                return started
        raise to_problem(failure)

    async def read_rest(self, started: Started, deliver: Callable[[list[Piece]], None]) -> None:
        """Hands over every further batch as it comes. Raises ``BackendError``, also at the gap and total limits."""
        now = asyncio.get_running_loop().time
        last = now() + self._limits.total_s
        try:
            async with asyncio.timeout_at(now() + self._limits.gap_s) as deadline:
                async for batch in started.batches:
                    deliver(batch)
                    deadline.reschedule(min(now() + self._limits.gap_s, last))
        except TimeoutError as error:
            raise BackendError("timeout", f"{started.route.name} stopped in the middle of its answer") from error

    def ended(self, started: Started, spent: Spent) -> None:
        """Must be called once for every answer that ``start`` gave, read to its end or not."""
        started.answer.close()
        self._fleet.ended(started.route, spent.attempts[-1].replica)

    async def _attempt(self, route: Route, replica: str, call: Call) -> Started:
        limit = self._limits.first_token_s if call.stream else self._limits.total_s
        answer: Answer | None = None
        try:
            async with asyncio.timeout(limit):
                answer = await self._fleet.backend(route).send(route, replica, call)
                return await _first_content(route, answer)
        except TimeoutError as error:
            _close(answer)
            raise BackendError("timeout", f"no answer from {route.name} within {limit:g} s") from error
        except BaseException:
            _close(answer)
            raise

    def _places(self, routes: Sequence[Route]) -> Iterator[tuple[Route, str]]:
        for route in routes:
            for replica in self._fleet.replicas(route):
                yield route, replica


async def _first_content(route: Route, answer: Answer) -> Started:
    batches = aiter(answer)
    first: list[Piece] = []
    async for batch in batches:
        first += batch
        if any(piece.content for piece in batch):
            return Started(route, answer, first, batches)
    if not answer.finished:
        raise BackendError("broken", f"{route.name} ended its answer before it began")
    return Started(route, answer, first, batches)


def _close(answer: Answer | None) -> None:
    if answer is not None:
        answer.close()


def _detail(route: Route, replica: str, began: float, error: BackendError | None) -> AttemptDetail:
    ms = (time.perf_counter() - began) * 1000
    outcome = error.kind if error else "ok"
    return AttemptDetail(route.name, replica, route.revision.id, outcome, ms, error.status if error else None)


def _worth_elsewhere(error: BackendError) -> bool:
    return error.kind != "status" or error.status is None or error.status in _ELSEWHERE_STATUSES


def to_problem(error: BackendError) -> Problem:
    """What a client is told of an upstream's failure."""
    if error.kind == "refused":
        message = f"The model server cannot be reached ({error}). Try again shortly, or ask for another model."
        return Problem(503, "upstream_unreachable", message, retry_after=error.retry_after or 2)
    if error.kind == "timeout":
        return Problem(504, "upstream_timeout", f"The model server was too slow: {error}.")
    if error.kind != "status" or error.status is None:
        return Problem(502, "upstream_broken", f"The model server's answer broke: {error}.", retry_after=1)
    passthrough = Passthrough(error.body, error.content_type) if error.body else None
    if error.status in _CLIENTS_OWN_STATUSES:
        return Problem(error.status, "upstream_refused", str(error), passthrough=passthrough)
    if error.status == 429:
        message = "The model server limits its rate. Wait as Retry-After says."
        return Problem(429, "upstream_rate_limit", message, retry_after=error.retry_after, passthrough=passthrough)
    if error.status == 503:
        return Problem(503, "upstream_unavailable", f"{error}.", retry_after=error.retry_after)
    return Problem(502, "upstream_error", f"The model server failed: {error}.", retry_after=error.retry_after or 1)
