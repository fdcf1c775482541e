"""The road: admit -> decide -> look up -> attempt in order -> settle. Every wire's requests travel it."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from backends.backend import TRACE_HEADERS, BackendError, Call
from backends.route import Route
from gateway import cache as answers
from gateway.account import Account, Spent, complete_usage
from gateway.adapt import adapted, dropped_tools
from gateway.attempts import Attempts
from gateway.cache import AnswerCache, CacheScope, Entry
from gateway.cache_control import CacheControl
from gateway.flight import Flight, Head, Reader
from gateway.keys.key import VirtualKey
from gateway.ledger.spool import Spool
from gateway.limiting.admission import Admission, Admitting
from gateway.limits import Limits
from gateway.problem import ClientLeft, Problem
from gateway.router import Choice, Router
from gateway.session import attributed
from gateway.shadow import Original, Shadows
from gateway.telemetry.observer import Observation
from gateway.upstream_problem import to_problem
from gateway.verify.holding import Asking, Holding
from policies.languages import ALIASES
from policies.request import RequestTraits
from policies.verify import Check, Form, Verdict, Verification, Verifier

_MAX_FLIGHTS_JOINED = 2
_LEFT = Problem(499, "client_left", "the client left")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as its wire understood it."""

    id: str
    tenant: str
    model: str
    call: Call
    traits: RequestTraits
    cache: CacheControl
    key: VirtualKey | None = None
    """None for the gateway's own key."""

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


@dataclass(frozen=True, slots=True)
class _Trip:
    """One request under way, and the key under which its answer is looked for: None when the cache is passed by."""

    asked: Asked
    choice: Choice
    account: Account
    key: str | None

    @property
    def label(self) -> str:
        return "bypass" if self.key is None else "miss"


class Pipeline:
    """``verifiers``: those of the forms that policies ask for. ``admission`` is there where keys may be limited."""

    def __init__(
        self,
        router: Router,
        cache: AnswerCache | None,
        spool: Spool,
        limits: Limits,
        verifiers: Mapping[Form, Verifier] = MappingProxyType({}),
        shadows: Shadows | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._router = router
        self._cache = cache
        self._spool = spool
        self._limits = limits
        self._attempts = Attempts(router.fleet, limits)
        self._holding = Holding(self._attempts, verifiers)
        self._shadows = shadows
        self._admission = admission
        self._flights: dict[str, Flight] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def enter(self, asked: Asked, departure: Departure, observation: Observation) -> Passage:
        """Returns when the first content is here. Raises ``Problem``, or ``ClientLeft``.

        The caller reads ``passage.reader`` and then calls ``close(passage)``, whatever happened.
        """
        choice = self._router.choose(asked.model, asked.traits, asked.call, asked.key)
        observation.decided(choice.decision)
        admitting = None
        if asked.key is not None and self._admission is not None:
            admitting = self._admission.begin(asked.key, asked.id, asked.call, asked.traits, choice)
        if admitting is None:
            return await self._travel(asked, choice, None, departure, observation)
        try:
            return await self._travel(replace(asked, call=admitting.call), choice, admitting, departure, observation)
        finally:
            admitting.abandon()

    async def _travel(
        self,
        asked: Asked,
        choice: Choice,
        admitting: Admitting | None,
        departure: Departure,
        observation: Observation,
    ) -> Passage:
        account = Account(
            self._spool,
            observation,
            request_id=asked.id,
            tenant=asked.tenant,
            asked=asked.model,
            policy=choice.policy,
            wire=asked.call.wire,
            session=attributed(asked.call.session),
            language=ALIASES.get(choice.language) if choice.language is not None else None,
            key=asked.key,
        )
        trip = _Trip(asked, choice, account, self._key(asked, choice.routes[0], choice.verify))
        key = trip.key if asked.cache.read else None
        entry = await self._look_up(key, asked.cache) if key is not None else None
        if admitting is not None:
            account.hold = await admitting.hold()
        if key is None:
            return await self._fly(trip, departure)
        if entry is not None:
            return _hit(account, choice.routes[0], entry, asked.call)
        if choice.verify is not None and (found := await self._look_further(trip, choice.verify)) is not None:
            return found
        return await self._join_or_fly(trip, key, departure)

    def close(self, passage: Passage) -> None:
        """The client has everything, or is gone. A flight settles for whom it began; other readers settle here."""
        if passage.cache == "shared":
            flight = passage.reader.flight
            _settle_reader(passage.account, flight.problem if flight.done else _LEFT, passage.head)
        passage.reader.leave()

    async def drain(self) -> None:
        """Waits for flights and cache writes under way. What is mirrored is cut short."""
        if self._shadows is not None:
            await self._shadows.close()
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._admission is not None:
            await self._admission.close()

    def _key(self, asked: Asked, route: Route, verify: Verification | None) -> str | None:
        if self._cache is None or asked.cache.bypass:
            return None
        call = adapted(asked.call, route)
        headers = tuple(item for item in sorted(call.headers.items()) if item[0] not in TRACE_HEADERS)
        mode = verify.mode if verify is not None else None
        scope = CacheScope(asked.tenant, route.name, route.revision.id, call.wire, headers, asked.form, mode)
        return answers.key(scope, call.fields)

    async def _look_up(self, key: str, control: CacheControl) -> Entry | None:
        assert self._cache is not None
        entry = await self._cache.get(key)
        if entry is not None and control.max_age_s is not None and time.time() - entry.at > control.max_age_s:
            return None
        return entry

    async def _look_further(self, trip: _Trip, rule: Verification) -> Passage | None:
        """What passed was perhaps not the first route's answer."""
        for route in trip.choice.routes[1:]:
            with contextlib.suppress(Problem):  # the route declines such a request
                key = self._key(trip.asked, route, rule)
                if key is not None and (entry := await self._look_up(key, trip.asked.cache)) is not None:
                    return _hit(trip.account, route, entry, trip.asked.call)
        return None

    async def _join_or_fly(self, trip: _Trip, key: str, departure: Departure) -> Passage:
        """Whoever asks what is being answered reads along; when that fails, one of the readers asks again itself."""
        for _ in range(_MAX_FLIGHTS_JOINED):
            flight = self._flights.get(key)
            if flight is None or flight.abandoned:
                break
            reader = flight.join()
            departure.follow(reader)
            try:
                return Passage(trip.account, reader, await reader.head(), "shared")
            except Problem as problem:
                reader.leave()
                if problem.status < 500 and problem.status != 429:
                    _settle_reader(trip.account, problem, began=False)
                    raise
            except ClientLeft:
                _settle_reader(trip.account, _LEFT, began=False)
                raise
        return await self._fly(trip, departure)

    async def _fly(self, trip: _Trip, departure: Departure) -> Passage:
        trip.account.open()
        flight = Flight()
        flight.task = asyncio.create_task(self._answer(flight, trip))
        self._background.add(flight.task)
        flight.task.add_done_callback(lambda task: self._landed(task, flight, trip))
        if trip.key is not None and trip.asked.cache.read:
            self._flights[trip.key] = flight
        reader = flight.join()
        departure.follow(reader)
        return Passage(trip.account, reader, await reader.head(), trip.label)

    async def _answer(self, flight: Flight, trip: _Trip) -> None:
        spent = Spent(onward=trip.account.observation.onward)
        problem: Problem | None = Problem(500, "internal_error", "the gateway failed; its log says why")
        try:
            await self._carry(flight, trip, spent)
            problem = None
        except Problem as stopped:
            problem = stopped
            problem.route = spent.route.name if spent.route is not None else None
        except asyncio.CancelledError:
            problem = _LEFT
            raise
        finally:
            self._settle(flight, trip, spent, problem)
        if trip.asked.cache.write:
            self._keep(flight, trip)

    def _landed(self, task: "asyncio.Task[None]", flight: Flight, trip: _Trip) -> None:
        self._background.discard(task)
        if not flight.done:  # cancelled before its first step: its own end never came
            self._settle(flight, trip, Spent(), _LEFT)

    def _settle(self, flight: Flight, trip: _Trip, spent: Spent, problem: Problem | None) -> None:
        if trip.key is not None and self._flights.get(trip.key) is flight:
            del self._flights[trip.key]
        flight.cost_nanousd = spent.cost_nanousd
        flight.end(problem)
        if problem is None and flight.head is not None:
            self._router.answered(trip.choice, flight.head.route)
            self._mirror(trip, flight.head.route)
        asyncio.get_running_loop().call_soon(_write_down, flight, trip, spent)  # the readers go first

    def _mirror(self, trip: _Trip, answered: Route) -> None:
        mirror, asked = trip.choice.mirror, trip.asked
        if self._shadows is not None and mirror is not None and mirror.route.name != answered.name:
            original = Original(asked.tenant, asked.model, trip.choice.policy, asked.call, asked.traits)
            self._shadows.offer(original, mirror)

    def _keep(self, flight: Flight, trip: _Trip) -> None:
        """Under the route that answered, which need not be the one that was looked up."""
        head = flight.head
        if self._cache is None or trip.key is None or flight.problem is not None or head is None:
            return
        if head.verify in ("failed", "unavailable"):
            return
        same = head.route == trip.choice.routes[0]
        key = trip.key if same else self._key(trip.asked, head.route, trip.choice.verify)
        if key is not None:
            self._cache.put(key, head.content_type, flight.pieces, head.verify)

    async def _carry(self, flight: Flight, trip: _Trip, spent: Spent) -> None:
        """From the first attempt to the last byte. Raises ``Problem``."""
        rule = trip.choice.verify
        if rule is None:
            await self._pass_on(flight, trip, spent)
        elif (check := await self._holding.check(rule, trip.asked.call)) is None:
            await self._pass_on(flight, trip, spent, "skipped")
        else:
            await self._hold(flight, trip, spent, rule, check)

    async def _hold(self, flight: Flight, trip: _Trip, spent: Spent, rule: Verification, check: Check) -> None:
        """The answer that was verified, as it would have come."""
        asked = trip.asked
        left_s = (rule.latency_ms - trip.account.elapsed_ms) / 1000
        ends = asyncio.get_running_loop().time() + left_s
        held = await self._holding.answer(
            Asking(asked.call, trip.choice.routes, asked.traits, rule, check, ends), spent
        )
        spent.ttft_ms = trip.account.elapsed_ms
        dropped = dropped_tools(asked.call, held.route)
        flight.begin(Head(held.route, held.content_type, held.streamed, dropped, held.found.verdict))
        flight.add(held.pieces)

    async def _pass_on(self, flight: Flight, trip: _Trip, spent: Spent, verify: Verdict | None = None) -> None:
        started = await self._attempts.start(trip.choice.routes, trip.asked.call, spent)
        outcome = "client_left"
        try:
            spent.ttft_ms = trip.account.elapsed_ms
            route = started.place.route
            dropped = dropped_tools(trip.asked.call, route)
            flight.begin(Head(route, started.answer.content_type, started.answer.streamed, dropped, verify))
            flight.add(started.first)
            await self._attempts.read_rest(started, flight.add)
            if not started.answer.finished:
                raise BackendError("broken", "it ended without a finish reason")
            outcome = "ok"
        except BackendError as error:
            outcome = error.kind
            raise to_problem(error) from error
        finally:
            spent.usage, spent.usage_source = started.answer.usage, started.answer.usage_source
            complete_usage(spent, trip.asked.traits.input_tokens_estimate)
            self._attempts.ended(started, spent, outcome)


def _hit(account: Account, route: Route, entry: Entry, call: Call) -> Passage:
    flight = Flight()
    streamed = entry.content_type.startswith("text/event-stream")
    head = Head(route, entry.content_type, streamed, dropped_tools(call, route), entry.verify)
    flight.begin(head)
    flight.pieces = [piece.encode() for piece in entry.pieces]
    flight.cost_nanousd = 0
    flight.end()
    account.settle(Spent(head.route), outcome="ok", status=200, cache="hit", streamed=head.streamed)
    return Passage(account, flight.join(), head, "hit", max(0, int(time.time() - entry.at)))


def _write_down(flight: Flight, trip: _Trip, spent: Spent) -> None:
    outcome, status = _outcome(flight.problem, began=flight.head is not None)
    trip.account.observation.answered(trip.asked.call, flight.pieces)
    trip.account.settle(spent, outcome=outcome, status=status, cache=trip.label, streamed=trip.asked.call.stream)


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
