"""Waiting for an answer that another worker, or another gateway, is making."""

import asyncio
import time

from gateway.pipeline.flight import Flight
from gateway.pipeline.kept_answers import KeptAnswers
from gateway.pipeline.passage import Trip, give_kept
from gateway.problem import Problem

FIRST_PAUSE_S = 0.01
LONGEST_PAUSE_S = 0.25
_PAUSE_SHARE = 0.1
"""Of what was waited already: a short answer is found at once, and a long one costs few looks."""
MOST_HOLDERS = 2
"""Whom it waits for, one after the other; where all of them failed it is tried here, whoever else tries."""


class TakeOver(Problem):
    """Ends a flight elsewhere: the answer is to be made here after all."""

    def __init__(self) -> None:
        super().__init__(503, "flight_elsewhere_ended", "the answer that was waited for has not come")


async def follow(flight: Flight, trip: Trip, kept: KeptAnswers, holder: str, within_s: float) -> None:
    """Ends ``flight`` with the answer that ``holder`` makes, or with ``TakeOver``: then it has left its lease there, if
    it got one.
    """
    try:
        entry, route = None, trip.choice.routes[0]
        began = time.monotonic()
        holders = {holder}
        while (waited := time.monotonic() - began) < within_s and len(holders) <= MOST_HOLDERS:
            await asyncio.sleep(min(max(FIRST_PAUSE_S, waited * _PAUSE_SHARE), LONGEST_PAUSE_S))
            found = await kept.look_up(trip)
            if found.holder is None:
                entry, flight.lease = found.entry, found.lease
                break
            holders.add(found.holder)
        if entry is None and flight.lease is None and (further := await kept.find_further(trip)) is not None:
            route, entry = further
        if entry is not None:
            give_kept(flight, route, entry, trip.asked.call)
    finally:
        if not flight.done:
            flight.end(TakeOver())
