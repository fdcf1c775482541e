"""Trying a decision's routes in order until one begins to answer."""

import asyncio
from collections.abc import Sequence

from backends.backend import BackendError, Call, Deliver
from backends.route import Route
from gateway.fleet.fleet import Fleet
from gateway.fleet.kept_responses import KeptResponses, continued
from gateway.limits import Limits
from gateway.pipeline.account import Spent
from gateway.pipeline.attempt import Attempt, Place, Started
from gateway.pipeline.cut import cut_off
from gateway.pipeline.hedging import Hedging, may_hedge
from gateway.pipeline.retry import LONGEST_WAIT_S, RetryBudget, backoff_s
from gateway.pipeline.session import conversation_of
from gateway.pipeline.upstream_problem import most_retries, to_problem
from policies.hedge import Hedge


class Attempts:
    """A few repetitions at most, within the budget and the whole request's deadline."""

    def __init__(self, fleet: Fleet, limits: Limits) -> None:
        self._fleet = fleet
        self._attempt = Attempt(fleet, limits)
        self._budget = RetryBudget()
        self._hedging = Hedging(fleet, self._attempt, self._budget)
        self._kept = KeptResponses(fleet)

    async def start(
        self, routes: Sequence[Route], call: Call, spent: Spent, hedge: Hedge | None = None, input_tokens: int = 0
    ) -> Started:
        """The first answer that begins. Nothing has gone to the client yet, so any failure may be tried again.

        ``input_tokens``: an estimate, for what a hedge has cost. Raises ``Problem``: the last attempt's, with the
        shortest wait that any upstream named.
        """
        self._budget.active += 1
        try:
            places = self._places(routes, call)
            if hedge is not None and len(places) > 1 and may_hedge(call):
                return await self._start(places, call, spent, hedge, input_tokens)
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
        return await self._attempt.begin(place, call, spent, self._attempt.deadline)

    async def finish(self, started: Started, spent: Spent, input_tokens: int, deliver: Deliver) -> None:
        """See ``Attempt.finish``."""
        await self._attempt.finish(started, spent, input_tokens, cut_off(deliver, started, spent))

    async def _start(
        self, places: list[Place], call: Call, spent: Spent, hedge: Hedge | None = None, input_tokens: int = 0
    ) -> Started:
        deadline = self._attempt.deadline
        before = len(spent.attempts)
        try:
            if hedge is None:
                return await self._attempt.begin(places[0], call, spent, deadline)
            return await self._hedging.begin(places, call, spent, deadline, hedge, input_tokens)
        except BackendError as error:
            made = len(spent.attempts) - before
            return await self._again(places, call, spent, deadline, error, made)

    async def _again(
        self, places: list[Place], call: Call, spent: Spent, deadline: float, error: BackendError, made: int
    ) -> Started:
        """``made``: attempts so far. A further one counts in the budget from its pause to its first content."""
        waits: list[float] = []
        while True:
            if error.retry_after is not None:
                waits.append(error.retry_after)
            pause = _pause(made, places, error)
            late = asyncio.get_running_loop().time() + pause >= deadline
            if late or pause > LONGEST_WAIT_S or made > most_retries(error) or not self._budget.take():
                raise to_problem(error, min(waits, default=None), continued(call)) from error
            try:
                await asyncio.sleep(pause)
                return await self._attempt.begin(places[made % len(places)], call, spent, deadline)
            except BackendError as again:
                error, made = again, made + 1
            finally:
                self._budget.give_back()

    def _places(self, routes: Sequence[Route], call: Call) -> list[Place]:
        """In the decision's order, but those that nothing should be sent to at the moment come last."""
        chosen = any(map(self._fleet.has_affinity, routes))
        conversation = conversation_of(call) if chosen else None
        places = [
            Place(route, replica, conversation)
            for route in routes
            for replica in self._fleet.replicas(route, conversation)
        ]
        if len(places) > 1:
            places.sort(key=lambda place: not self._fleet.is_welcoming(place.route, place.replica))
        return places

    async def _where_it_goes_on(self, call: Call, places: list[Place]) -> list[Place]:
        """Only where the response is that the call goes on from: anywhere else it would be unknown."""
        keeper = await self._kept.keeper(call, {place.replica: place.route for place in places})
        return places if keeper is None else [place for place in places if place.replica == keeper]


def _pause(made: int, places: list[Place], error: BackendError) -> float:
    """Seconds before the next attempt: none at a new place, else what the upstream asks for, or a jittered backoff."""
    if made < len(places):
        return 0.0
    return error.retry_after if error.retry_after is not None else backoff_s(made)
