"""From the first attempt to the last byte: an answer is passed on as it comes, or held until it is verified."""

import asyncio
from collections.abc import Mapping

from gateway.pipeline.account import Spent
from gateway.pipeline.adapt import dropped_tools
from gateway.pipeline.attempts import Attempts
from gateway.pipeline.flight import Flight, Head
from gateway.pipeline.passage import Trip
from gateway.verify.holding import Asking, Holding
from policies.verify import Check, Form, Verdict, Verification, Verifier


class Carrier:
    """``verifiers``: those of the forms that policies ask for."""

    def __init__(self, attempts: Attempts, verifiers: Mapping[Form, Verifier]) -> None:
        self._attempts = attempts
        self._holding = Holding(attempts, verifiers)

    async def carry(self, flight: Flight, trip: Trip, spent: Spent) -> None:
        """Raises ``Problem``."""
        rule = trip.choice.verify
        if rule is None:
            await self._pass_on(flight, trip, spent)
        elif (check := await self._holding.check(rule, trip.asked.call)) is None:
            await self._pass_on(flight, trip, spent, "skipped")
        else:
            await self._hold(flight, trip, spent, rule, check)

    async def _hold(self, flight: Flight, trip: Trip, spent: Spent, rule: Verification, check: Check) -> None:
        """The answer that was verified, as it would have come."""
        asked = trip.asked
        left_s = (rule.latency_ms - trip.account.elapsed_ms) / 1000
        ends = asyncio.get_running_loop().time() + left_s
        asking = Asking(asked.call, trip.choice.routes, asked.traits, rule, check, ends)
        held = await self._holding.answer(asking, spent)
        spent.ttft_ms = trip.account.elapsed_ms
        dropped = dropped_tools(asked.call, held.route)
        flight.begin(Head(held.route, held.content_type, held.streamed, dropped, held.found.verdict))
        flight.add(held.pieces)

    async def _pass_on(self, flight: Flight, trip: Trip, spent: Spent, verify: Verdict | None = None) -> None:
        choice, input_tokens = trip.choice, trip.asked.traits.input_tokens_estimate
        started = await self._attempts.start(choice.routes, trip.asked.call, spent, choice.hedge, input_tokens)
        spent.ttft_ms = trip.account.elapsed_ms
        route = started.place.route
        dropped = dropped_tools(trip.asked.call, route)
        flight.begin(Head(route, started.answer.content_type, started.answer.streamed, dropped, verify))
        flight.add(started.first)
        await self._attempts.finish(started, spent, input_tokens, flight.add)
