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
from gateway.pipeline.cache import NOTHING, Found
from gateway.pipeline.carrier import Carrier
from gateway.pipeline.elsewhere import TakeOver, follow
from gateway.pipeline.flight import Flight
from gateway.pipeline.kept_answers import KeptAnswers
from gateway.pipeline.lease import Lease
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
        kept: KeptAnswers,
        spool: Spool,
        limits: Limits,
        verifiers: Mapping[Form, Verifier] = MappingProxyType({}),
        shadows: Shadows | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._router = router
        self._kept = kept
        self._spool = spool
        self._limits = limits
        self._carrier = Carrier(Attempts(router.fleet, limits), verifiers)
        self._shadows = shadows
        self._admission = admission
        self._flights: dict[str, Flight] = {}
        self._under_way: set[Flight] = set()

    async def enter(self, asked: Asked, departure: Departure, observation: Observation) -> Passage:
        """Returns when the first content is here. Raises ``Problem``, or ``ClientLeft``.

        The caller reads ``passage.reader`` and then calls ``close(passage)``, whatever happened.
        """
        if self._admission is not None and self._admission.budgets is not None:
            told = await self._admission.budgets.told(asked.traits, asked.model, asked.key)
            asked = replace(asked, traits=told)
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
        trip = Trip(asked, choice, account, self._kept.key(asked, choice.routes[0], choice.verify), departure)
        found = await self._kept.look_up(trip)
        try:
            if admitting is not None:
                account.hold = await admitting.hold()
            if trip.key is None or not asked.cache.read:
                return await self._fly(trip, departure)
            if found.entry is not None:
                return hit(account, choice.routes[0], found.entry, asked.call)
            if choice.verify is not None and (further := await self._kept.find_further(trip)) is not None:
                return hit(account, *further, asked.call)
            return await self._join_or_fly(trip, trip.key, found, departure)
        finally:
            if found.lease is not None:
                found.lease.give_back()

    def close(self, passage: Passage) -> None:
        """The client has everything, or is gone. A flight settles for whom it began; other readers settle here."""
        if passage.cache == "shared":
            flight = passage.reader.flight
            problem = flight.problem if flight.done else LEFT
            settle_reader(passage.account, problem, passage.head, saved_nanousd=flight.cost_nanousd or 0)
        passage.reader.leave()

    async def drain(self) -> None:
        """Waits for flights and cache writes under way. What is mirrored is cut short."""
        if self._shadows is not None:
            await self._shadows.close()
        landing = [flight.task for flight in self._under_way if flight.task is not None]
        await asyncio.gather(*landing, return_exceptions=True)
        if self._admission is not None:
            await self._admission.close()

    def stop(self, problem: Problem) -> None:
        """Ends every answer under way: streams that have begun with an error event."""
        for flight in tuple(self._under_way):
            flight.stop(problem)

    async def _join_or_fly(self, trip: Trip, key: str, found: Found, departure: Departure) -> Passage:
        """Whoever asks what is being answered reads along; when that fails, one of the readers asks again itself."""
        for _ in range(_MAX_FLIGHTS_JOINED):
            flight = self._to_join(trip, key, found)
            if flight is None:
                break
            trip.account.open()  # its client is about to be told its id
            if found.lease is not None:
                found.lease.give_back()
            reader = flight.join()
            departure.follow(reader)
            try:
                return Passage(trip.account, reader, await reader.head(), "shared")
            except TakeOver:
                reader.leave()
                found = Found(lease=flight.lease)
            except Problem as problem:
                reader.leave()
                if _would_be_the_same(problem):
                    settle_reader(trip.account, problem, began=False)
                    raise
                found = NOTHING
            except ClientLeft:
                settle_reader(trip.account, LEFT, began=False)
                raise
        return await self._fly(trip, departure, found.lease)

    def _to_join(self, trip: Trip, key: str, found: Found) -> Flight | None:
        """A flight under way here; one that waits for another worker's, unless this request has the lease by now."""
        flight = self._flights.get(key)
        waits_in_vain = flight is not None and flight.elsewhere and found.lease is not None
        if flight is not None and not flight.done and not flight.abandoned and not waits_in_vain:
            return flight
        return self._wait(trip, key, found.holder) if found.holder is not None else None

    def _wait(self, trip: Trip, key: str, holder: str) -> Flight:
        """For an answer that another worker makes."""
        flight = Flight(elsewhere=True)
        flight.task = asyncio.create_task(follow(flight, trip, self._kept, holder, self._limits.total_s))
        self._under_way.add(flight)
        flight.task.add_done_callback(lambda _: self._waited(flight, key))
        self._flights[key] = flight
        return flight

    def _waited(self, flight: Flight, key: str) -> None:
        self._under_way.discard(flight)
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _fly(self, trip: Trip, departure: Departure, lease: Lease | None = None) -> Passage:
        trip.account.open()
        flight = Flight()
        if lease is not None and lease.take():
            flight.lease = lease
        flight.task = asyncio.create_task(self._answer(flight, trip))
        self._under_way.add(flight)
        flight.task.add_done_callback(lambda _: self._landed(flight, trip))
        if trip.key is not None and trip.asked.cache.read:
            self._flights[trip.key] = flight
        reader = flight.join()
        departure.follow(reader)
        return Passage(trip.account, reader, await reader.head(), trip.label)

    async def _answer(self, flight: Flight, trip: Trip) -> None:
        hold = trip.account.hold
        most_content = hold.most_content if hold is not None else None
        spent = Spent(onward=trip.account.observation.onward, most_content=most_content)
        problem: Problem | None = Problem(500, "internal_error", "the gateway failed; its log says why")
        try:
            await self._carrier.carry(flight, trip, spent)
            problem = None
        except Problem as stopped:
            problem = stopped
            problem.route = spent.route.name if spent.route is not None else None
        except asyncio.CancelledError:
            problem = flight.stopped or LEFT
            raise
        finally:
            self._settle(flight, trip, spent, problem)
        if trip.asked.cache.write:
            self._kept.keep(flight, trip)

    def _landed(self, flight: Flight, trip: Trip) -> None:
        self._under_way.discard(flight)
        if not flight.done:  # cancelled before its first step: its own end never came
            self._settle(flight, trip, Spent(), flight.stopped or LEFT)

    def _settle(self, flight: Flight, trip: Trip, spent: Spent, problem: Problem | None) -> None:
        if trip.key is not None and self._flights.get(trip.key) is flight:
            del self._flights[trip.key]
        flight.cost_nanousd = spent.cost_nanousd
        flight.end(problem)
        if flight.lease is not None:
            flight.lease.end(over=problem is None or _would_be_the_same(problem))
        if problem is None and flight.head is not None:
            self._router.answered(trip.choice, flight.head.route)
            self._mirror(trip, flight.head.route)
        asyncio.get_running_loop().call_soon(settle, flight, trip, spent)  # the readers go first

    def _mirror(self, trip: Trip, answered: Route) -> None:
        mirror, asked = trip.choice.mirror, trip.asked
        if self._shadows is not None and mirror is not None and mirror.route.name != answered.name:
            original = Original(asked.tenant, asked.model, trip.choice.policy, asked.call, asked.traits)
            self._shadows.offer(original, mirror)


def _would_be_the_same(problem: Problem) -> bool:
    """For whoever asks the same again."""
    return problem.status < 500 and problem.status not in (429, LEFT.status)
