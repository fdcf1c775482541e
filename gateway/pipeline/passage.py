"""A request under way: what was asked, where it goes, how its client leaves, and its row in the ledger at the end."""

import time
from dataclasses import dataclass
from typing import Protocol

from backends.backend import Call
from backends.route import Route
from gateway.keys.key import VirtualKey
from gateway.pipeline.account import Account, Spent
from gateway.pipeline.adapt import dropped_tools
from gateway.pipeline.cache import Entry
from gateway.pipeline.cache_control import CacheControl
from gateway.pipeline.flight import Flight, Head, Reader
from gateway.problem import Problem
from gateway.routing.router import Choice
from policies.request import RequestTraits

LEFT = Problem(499, "client_left", "the client left")


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


class Leaving(Protocol):
    def leave(self) -> None:
        """The client is gone. Calling it again does nothing."""
        ...


class Departure:
    """The client's leaving, whenever it comes: passed on to what it reads at that moment."""

    def __init__(self) -> None:
        self.gone = False
        self._reader: Leaving | None = None

    def follow(self, reader: Leaving) -> None:
        self._reader = reader
        if self.gone:
            reader.leave()

    def leave(self) -> None:
        self.gone = True
        if self._reader is not None:
            self._reader.leave()


@dataclass(frozen=True, slots=True)
class Trip:
    """``key``: under which the answer is looked for and kept; None when the cache is passed by."""

    asked: Asked
    choice: Choice
    account: Account
    key: str | None
    departure: Departure

    @property
    def label(self) -> str:
        return "bypass" if self.key is None else "miss"


@dataclass(slots=True)
class Passage:
    """One request's way out: its head is known, its bytes come from ``reader``."""

    account: Account
    reader: Reader
    head: Head
    cache: str
    """``hit``, ``miss``, ``shared`` or ``bypass``."""
    age_s: int | None = None


def give_kept(flight: Flight, route: Route, entry: Entry, call: Call) -> Head:
    """A kept answer, all at once, for whoever reads the flight."""
    streamed = entry.content_type.startswith("text/event-stream")
    head = Head(route, entry.content_type, streamed, dropped_tools(call, route), entry.verify)
    flight.give(head, [piece.encode() for piece in entry.pieces], entry.cost_nanousd)
    return head


def hit(account: Account, route: Route, entry: Entry, call: Call) -> Passage:
    """The way out of a kept answer, settled at once."""
    flight = Flight()
    head = give_kept(flight, route, entry, call)
    flight.cost_nanousd = 0
    spent = Spent(head.route, saved_nanousd=entry.cost_nanousd)
    account.settle(spent, outcome="ok", status=200, cache="hit", streamed=head.streamed)
    return Passage(account, flight.join(), head, "hit", max(0, int(time.time() - entry.at)))


def settle(flight: Flight, trip: Trip, spent: Spent) -> None:
    """Writes down what a flight came to, for the request that began it."""
    problem = LEFT if flight.problem is None and trip.departure.gone else flight.problem  # others read on
    outcome, status = _outcome(problem, began=flight.head is not None)
    trip.account.observation.answered(trip.asked.call, flight.pieces)
    trip.account.settle(spent, outcome=outcome, status=status, cache=trip.label, streamed=trip.asked.call.stream)


def settle_reader(
    account: Account, problem: Problem | None, head: Head | None = None, *, began: bool = True, saved_nanousd: int = 0
) -> None:
    """Whoever read along pays nothing: the flight is billed to the request that began it."""
    outcome, status = _outcome(problem, began)
    spent = Spent(head.route if head else None, saved_nanousd=saved_nanousd if problem is None else 0)
    account.settle(spent, outcome=outcome, status=status, cache="shared", streamed=head is not None and head.streamed)


def _outcome(problem: Problem | None, began: bool = True) -> tuple[str, int]:
    if problem is None:
        return "ok", 200
    if problem.status == 499:
        return "client_left", 499
    return ("broken_stream", 200) if began else (problem.code, problem.status)
