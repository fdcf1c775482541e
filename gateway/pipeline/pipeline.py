"""The road: admit -> decide -> look up -> attempt in order -> settle. Every wire's requests travel it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from backends.route import Route
from gateway.ledger.spool import Spool
from gateway.limiting.admission import Admission, Admitting
from gateway.limits import Limits
from gateway.pipeline.account import Account, Spent
from gateway.pipeline.attempts import Attempts
from gateway.pipeline.cache import AnswerCache
from gateway.pipeline.carrier import Carrier
from gateway.pipeline.flight import Flight
from gateway.pipeline.kept_answers import KeptAnswers
from gateway.pipeline.passage import LEFT, Asked, Departure, Passage, Trip, hit, settle, settle_reader
from gateway.pipeline.session import attributed
from gateway.problem import ClientLeft, Problem
from gateway.routing.router import Choice, Router
from gateway.routing.shadow import Original, Shadows
from gateway.telemetry.observer import Observation
from policies.languages import ALIASES
from policies.verify import Form, Verifier

_MAX_FLIGHTS_JOINED = 2


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
        self._kept = KeptAnswers(cache)
        self._spool = spool
        self._carrier = Carrier(Attempts(router.fleet, limits), verifiers)
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
        trip = Trip(asked, choice, account, self._kept.key(asked, choice.routes[0], choice.verify))
        key = trip.key if asked.cache.read else None
        entry = await self._kept.find(key, asked.cache) if key is not None else None
        if admitting is not None:
            account.hold = await admitting.hold()
        if key is None:
            return await self._fly(trip, departure)
        if entry is not None:
            return hit(account, choice.routes[0], entry, asked.call)
        if choice.verify is not None and (found := await self._kept.find_further(trip, choice.verify)) is not None:
            return hit(account, *found, asked.call)
        return await self._join_or_fly(trip, key, departure)

    def close(self, passage: Passage) -> None:
        """The client has everything, or is gone. A flight settles for whom it began; other readers settle here."""
        if passage.cache == "shared":
            flight = passage.reader.flight
            settle_reader(passage.account, flight.problem if flight.done else LEFT, passage.head)
        passage.reader.leave()

    async def drain(self) -> None:
        """Waits for flights and cache writes under way. What is mirrored is cut short."""
        if self._shadows is not None:
            await self._shadows.close()
        await asyncio.gather(*self._background, return_exceptions=True)
        if self._admission is not None:
            await self._admission.close()

    async def _join_or_fly(self, trip: Trip, key: str, departure: Departure) -> Passage:
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
                    settle_reader(trip.account, problem, began=False)
                    raise
            except ClientLeft:
                settle_reader(trip.account, LEFT, began=False)
                raise
        return await self._fly(trip, departure)

    async def _fly(self, trip: Trip, departure: Departure) -> Passage:
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

    async def _answer(self, flight: Flight, trip: Trip) -> None:
        spent = Spent(onward=trip.account.observation.onward)
        problem: Problem | None = Problem(500, "internal_error", "the gateway failed; its log says why")
        try:
            await self._carrier.carry(flight, trip, spent)
            problem = None
        except Problem as stopped:
            problem = stopped
            problem.route = spent.route.name if spent.route is not None else None
        except asyncio.CancelledError:
            problem = LEFT
            raise
        finally:
            self._settle(flight, trip, spent, problem)
        if trip.asked.cache.write:
            self._kept.keep(flight, trip)

    def _landed(self, task: "asyncio.Task[None]", flight: Flight, trip: Trip) -> None:
        self._background.discard(task)
        if not flight.done:  # cancelled before its first step: its own end never came
            self._settle(flight, trip, Spent(), LEFT)

    def _settle(self, flight: Flight, trip: Trip, spent: Spent, problem: Problem | None) -> None:
        if trip.key is not None and self._flights.get(trip.key) is flight:
            del self._flights[trip.key]
        flight.cost_nanousd = spent.cost_nanousd
        flight.end(problem)
        if problem is None and flight.head is not None:
            self._router.answered(trip.choice, flight.head.route)
            self._mirror(trip, flight.head.route)
        asyncio.get_running_loop().call_soon(settle, flight, trip, spent)  # the readers go first

    def _mirror(self, trip: Trip, answered: Route) -> None:
        mirror, asked = trip.choice.mirror, trip.asked
        if self._shadows is not None and mirror is not None and mirror.route.name != answered.name:
            original = Original(asked.tenant, asked.model, trip.choice.policy, asked.call, asked.traits)
            self._shadows.offer(original, mirror)
