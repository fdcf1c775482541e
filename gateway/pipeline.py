"""The road: admit -> decide -> look up -> attempt in order -> settle. Every wire's requests travel it."""

import asyncio
import time
from dataclasses import dataclass, replace

from backends.backend import BackendError, Call
from gateway import cache as answers
from gateway.account import Account, Spent
from gateway.attempts import Attempts
from gateway.cache import AnswerCache, CacheScope, Entry
from gateway.cache_control import CacheControl
from gateway.flight import Flight, Head, Reader
from gateway.ledger.spool import Spool
from gateway.limits import Limits
from gateway.problem import ClientLeft, Problem
from gateway.router import Choice, Router
from gateway.telemetry.observer import Observation
from gateway.upstream_problem import to_problem
from policies.request import RequestTraits

_MAX_FLIGHTS_JOINED = 2
_LEFT = Problem(499, "client_left", "the client left")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as its wire understood it."""

    tenant: str
    model: str
    call: Call
    traits: RequestTraits
    cache: CacheControl

    @property
    def form(self) -> str:
        if not self.call.stream:
            return "whole"
        return "stream+usage" if self.call.include_usage else "stream"


class Departure:
    """The client's leaving, whenever it comes: passed on to what it reads at that moment."""

    def __init__(self) -> None:
        self.gone = False
        self._reader: Reader | None = None

    def follow(self, reader: Reader) -> None:
        self._reader = reader
        if self.gone:
            reader.leave()

    def leave(self) -> None:
        self.gone = True
        if self._reader is not None:
            self._reader.leave()


@dataclass(slots=True)
class Passage:
    """One request's way out: its head is known, its bytes come from ``reader``."""

    account: Account
    reader: Reader
    head: Head
    cache: str
    """``hit``, ``miss``, ``shared`` or ``bypass``."""
    age_s: int | None = None


class Pipeline:
    def __init__(self, router: Router, cache: AnswerCache | None, spool: Spool, limits: Limits) -> None:
        self._router = router
        self._cache = cache
        self._spool = spool
        self._limits = limits
        self._attempts = Attempts(router.fleet, limits)
        self._flights: dict[str, Flight] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def enter(self, asked: Asked, departure: Departure, observation: Observation) -> Passage:
        """Returns when the first content is here. Raises ``Problem``, or ``ClientLeft``.

        The caller reads ``passage.reader`` and then calls ``close(passage)``, whatever happened.
        """
        choice = self._router.choose(asked.model, asked.traits)
        account = Account(
            self._spool,
            observation,
            tenant=asked.tenant,
            asked=asked.model,
            policy=choice.policy,
            wire=asked.call.wire,
        )
        key = self._key(asked, choice)
        if key is not None and asked.cache.read and (entry := await self._look_up(key, asked.cache)) is not None:
            return _hit(account, choice, entry)
        if key is not None and asked.cache.read:
            return await self._join_or_fly(asked, choice, account, key, departure)
        return await self._fly(asked, choice, account, key, departure)

    def close(self, passage: Passage) -> None:
        """The client has everything, or is gone. A flight settles for whom it began; other readers settle here."""
        if passage.cache == "shared":
            flight = passage.reader.flight
            _settle_reader(passage.account, flight.problem if flight.done else _LEFT, passage.head)
        passage.reader.leave()

    async def drain(self) -> None:
        """Waits for flights and cache writes under way."""
        await asyncio.gather(*self._background, return_exceptions=True)

    def _key(self, asked: Asked, choice: Choice) -> str | None:
        if self._cache is None or asked.cache.bypass:
            return None
        route = choice.routes[0]
        scope = CacheScope(asked.tenant, route.name, route.revision.id, asked.call.wire, asked.form)
        return answers.key(scope, asked.call.fields)

    async def _look_up(self, key: str, control: CacheControl) -> Entry | None:
        assert self._cache is not None
        entry = await self._cache.get(key)
        if entry is not None and control.max_age_s is not None and time.time() - entry.at > control.max_age_s:
            return None
        return entry

    async def _join_or_fly(
        self, asked: Asked, choice: Choice, account: Account, key: str, departure: Departure
    ) -> Passage:
        """Whoever asks what is being answered reads along; when that fails, one of the readers asks again itself."""
        for _ in range(_MAX_FLIGHTS_JOINED):
            flight = self._flights.get(key)
            if flight is None:
                break
            reader = flight.join()
            departure.follow(reader)
            try:
                return Passage(account, reader, await reader.head(), "shared")
            except Problem as problem:
                reader.leave()
                if problem.status < 500 and problem.status != 429:
                    _settle_reader(account, problem, began=False)
                    raise
            except ClientLeft:
                _settle_reader(account, _LEFT, began=False)
                raise
        return await self._fly(asked, choice, account, key, departure)

    async def _fly(
        self, asked: Asked, choice: Choice, account: Account, key: str | None, departure: Departure
    ) -> Passage:
        label = "bypass" if key is None else "miss"
        account.open()
        flight = Flight()
        flight.task = asyncio.create_task(self._answer(flight, asked, choice, account, key, label))
        self._background.add(flight.task)
        flight.task.add_done_callback(self._background.discard)
        if key is not None and asked.cache.read:
            self._flights[key] = flight
        reader = flight.join()
        departure.follow(reader)
        return Passage(account, reader, await reader.head(), label)

    async def _answer(
        self, flight: Flight, asked: Asked, choice: Choice, account: Account, key: str | None, label: str
    ) -> None:
        spent = Spent(onward=account.observation.onward)
        problem: Problem | None = Problem(500, "internal_error", "the gateway failed; its log says why")
        try:
            await self._carry(flight, asked, choice, account, spent)
            problem = None
        except Problem as stopped:
            problem = stopped
        except asyncio.CancelledError:
            problem = _LEFT
            raise
        finally:
            if key is not None and self._flights.get(key) is flight:
                del self._flights[key]
            flight.cost_nanousd = spent.cost_nanousd
            outcome, status = _outcome(problem, began=flight.head is not None)
            account.observation.answered(asked.call, flight.pieces)
            account.settle(spent, outcome=outcome, status=status, cache=label, streamed=asked.call.stream)
            flight.end(problem)
        if problem is None and key is not None and asked.cache.write:
            self._keep(key, flight)

    def _keep(self, key: str, flight: Flight) -> None:
        if self._cache is not None and flight.head is not None:
            self._cache.put(key, flight.head.content_type, flight.pieces)

    async def _carry(self, flight: Flight, asked: Asked, choice: Choice, account: Account, spent: Spent) -> None:
        """From the first attempt to the last byte. Raises ``Problem``."""
        started = await self._attempts.start(choice.routes, asked.call, spent)
        outcome = "client_left"
        try:
            spent.ttft_ms = account.elapsed_ms
            flight.begin(Head(started.place.route, started.answer.content_type, started.answer.streamed))
            flight.add([piece.data for piece in started.first])
            await self._attempts.read_rest(started, lambda batch: flight.add([piece.data for piece in batch]))
            if not started.answer.finished:
                raise BackendError("broken", "it ended without a finish reason")
            outcome = "ok"
        except BackendError as error:
            outcome = error.kind
            raise to_problem(error) from error
        finally:
            spent.usage, spent.usage_source = started.answer.usage, started.answer.usage_source
            _complete_usage(spent, asked.traits)
            self._attempts.ended(started, spent, outcome)


def _hit(account: Account, choice: Choice, entry: Entry) -> Passage:
    flight = Flight()
    head = Head(choice.routes[0], entry.content_type, entry.content_type.startswith("text/event-stream"))
    flight.begin(head)
    flight.add([piece.encode() for piece in entry.pieces])
    flight.cost_nanousd = 0
    flight.end()
    account.settle(Spent(head.route), outcome="ok", status=200, cache="hit", streamed=head.streamed)
    return Passage(account, flight.join(), head, "hit", max(0, int(time.time() - entry.at)))


def _outcome(problem: Problem | None, began: bool = True) -> tuple[str, int]:
    if problem is None:
        return "ok", 200
    if problem.status == 499:
        return "client_left", 499
    return ("broken_stream", 200) if began else (problem.code, problem.status)


def _settle_reader(account: Account, problem: Problem | None, head: Head | None = None, *, began: bool = True) -> None:
    """Whoever read along pays nothing: the flight is billed to the request that began it."""
    outcome, status = _outcome(problem, began)
    spent = Spent(head.route if head else None)
    account.settle(spent, outcome=outcome, status=status, cache="shared", streamed=head is not None and head.streamed)


def _complete_usage(spent: Spent, traits: RequestTraits) -> None:
    """A count that we made ourselves knows only what came out: what went in is the estimate that was decided on."""
    if spent.usage_source == "estimated" and spent.usage is not None:
        spent.usage = replace(spent.usage, input_tokens=traits.input_tokens_estimate)
