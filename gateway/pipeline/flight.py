"""One upstream answer under way, and everyone who reads it.

A flight owns itself: it is a task of its own, cancelled when its last reader leaves, and it settles once, for the
request that began it. What it has received stays with it until the end (bounded by the backend's answer limit), so a
slow reader holds nobody back and a late one begins at the start.
"""

import asyncio
from dataclasses import dataclass

from backends.backend import Piece
from backends.route import Route
from gateway.pipeline.lease import Lease
from gateway.problem import ClientLeft, Problem
from policies.verify import Verdict


@dataclass(frozen=True, slots=True)
class Head:
    """What is known once the first content is here."""

    route: Route
    content_type: str
    streamed: bool
    dropped_tools: tuple[str, ...] = ()
    """Types of those that the route's server was not told of."""
    verify: Verdict | None = None
    """None where nobody asked for it."""


class Flight:
    """Filled by one writer (``begin``, ``add``, ``end`` or ``fail``), read by many ``Reader``s.

    ``elsewhere``: the answer is being made by another worker; this only waits for it.
    """

    def __init__(self, *, elsewhere: bool = False) -> None:
        self.task: asyncio.Task[None] | None = None
        self.elsewhere = elsewhere
        self.lease: Lease | None = None
        """What others are kept waiting by; of a flight elsewhere, what it left to whoever makes the answer now."""
        self.head: Head | None = None
        self.pieces: list[bytes] = []
        self.done = False
        self.problem: Problem | None = None
        self.stopped: Problem | None = None
        """Why it is ended although it is still read."""
        self.cost_nanousd: int | None = None
        self.readers = 0
        self._waiters: list[asyncio.Future[None]] = []

    def begin(self, head: Head) -> None:
        self.head = head

    def add(self, batch: list[Piece]) -> None:
        for piece in batch:
            self.pieces.append(piece.data)
        self._wake()

    def end(self, problem: Problem | None = None) -> None:
        """``problem``: why there is no head, or why the answer broke off after it."""
        self.problem = problem
        self.done = True
        self._wake()

    def give(self, head: Head, pieces: list[bytes], cost_nanousd: int) -> None:
        """A whole answer at once."""
        self.begin(head)
        self.pieces = pieces
        self.cost_nanousd = cost_nanousd
        self.end()

    def stop(self, problem: Problem) -> None:
        """Ends it with ``problem``, for everyone who reads it."""
        self.stopped = problem
        if self.elsewhere:
            self.end(problem)
        if self.task is not None:
            self.task.cancel()

    def join(self) -> "Reader":
        self.readers += 1
        return Reader(self)

    @property
    def abandoned(self) -> bool:
        """Its last reader has left: it is about to end, and nobody may join it any more."""
        return self.readers == 0

    def leave(self) -> None:
        self.readers -= 1
        if self.readers == 0 and not self.done and self.task is not None:
            self.task.cancel()

    def changed(self) -> "asyncio.Future[None]":
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def wake(self) -> None:
        """Lets readers look again at what they wait for."""
        self._wake()


class Reader:
    """One client's view of a flight."""

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._next = 0
        self._left = False

    @property
    def flight(self) -> Flight:
        return self._flight

    @property
    def left(self) -> bool:
        return self._left

    @property
    def position(self) -> int:
        """How many of the flight's pieces it was given."""
        return self._next

    async def head(self) -> Head:
        """Waits for the first content. Raises ``Problem`` where there will be none, ``ClientLeft`` after ``leave``."""
        flight = self._flight
        while flight.head is None and not flight.done and not self._left:
            await flight.changed()
        if self._left:
            raise ClientLeft
        if flight.head is None:
            assert flight.problem is not None
            raise flight.problem
        return flight.head

    async def read(self) -> bytes:
        """What has come since it was asked last; empty at the end.

        Raises ``Problem`` where the answer broke off, ``ClientLeft`` after ``leave``.
        """
        flight = self._flight
        while not self._left:
            if self._next < len(flight.pieces):
                ready = flight.pieces[self._next :]
                self._next += len(ready)
                return ready[0] if len(ready) == 1 else b"".join(ready)
            if flight.done:
                if flight.problem is not None:
                    raise flight.problem
                return b""
            await flight.changed()
        raise ClientLeft

    async def finished(self) -> None:
        """Waits until the whole answer is here (or has broken)."""
        while not self._flight.done and not self._left:
            await self._flight.changed()

    def leave(self) -> None:
        """The client is gone, or has read everything. Calling it again does nothing."""
        if not self._left:
            self._left = True
            self._flight.leave()
            self._flight.wake()
