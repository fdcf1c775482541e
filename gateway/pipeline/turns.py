"""How many requests a worker serves at once: the next ones wait for their turn, and beyond these it says so at once."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

from gateway.limits import Limits
from gateway.pipeline.passage import Departure
from gateway.problem import ClientLeft, Problem

_AGAIN_S = 2.0


class _Waiter:
    """``turn`` has no result while it waits; then whether it is its turn, or False where its client has left."""

    def __init__(self) -> None:
        self.turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def leave(self) -> None:
        if not self.turn.done():
            self.turn.set_result(False)

    @property
    def is_on(self) -> bool:
        turn = self.turn
        return turn.done() and not turn.cancelled() and turn.exception() is None and turn.result()


class Turns:
    """``limits.active`` at once, ``limits.queue`` that wait for ``limits.queue_s`` at most: a tenant's in their order,
    the tenants in turn. Where the queue is full, the newest of the tenant with the most gives way to one with fewer.

    ``on_waiting`` is told of one more that waits, or one fewer.
    """

    def __init__(self, limits: Limits, on_waiting: Callable[[int], None] = lambda change: None) -> None:
        self._limits = limits
        self._on_waiting = on_waiting
        self._active = 0
        self._waiting = 0
        self._lines: OrderedDict[str, deque[_Waiter]] = OrderedDict()

    def check(self, tenant: str) -> None:
        """Before anything of the request is read. Raises ``Problem`` 503 where there is no room to wait."""
        if self._waiting >= self._limits.queue and self._active >= self._limits.active:
            longest = max(map(len, self._lines.values()), default=0)
            if longest <= len(self._lines.get(tenant, ())) + 1:
                raise _no_room()

    def take(self) -> bool:
        """True: it may go on at once, and ``give_back`` must follow."""
        if self._active >= self._limits.active:
            return False
        self._active += 1
        return True

    async def wait(self, tenant: str, departure: Departure) -> None:
        """Where ``take`` said no: returns when it is its turn, and ``give_back`` must follow.

        Raises ``Problem`` 503, and ``ClientLeft``.
        """
        self.check(tenant)
        if self._waiting >= self._limits.queue:
            self._send_one_away()
        waiter = _Waiter()
        self._lines.setdefault(tenant, deque()).append(waiter)
        self._count(1)
        departure.follow(waiter)
        goes_on = False
        try:
            async with asyncio.timeout(self._limits.queue_s):
                goes_on = await waiter.turn
        except TimeoutError as error:
            raise _no_room() from error
        finally:
            if not goes_on:
                self._give_up(tenant, waiter)
        if not goes_on:
            raise ClientLeft

    def give_back(self) -> None:
        """It is the next one's turn, if any waits."""
        self._active -= 1
        while self._lines and self._active < self._limits.active:
            tenant = next(iter(self._lines))
            waiter = self._lines[tenant][0]
            self._leave_line(tenant, waiter)
            if tenant in self._lines:
                self._lines.move_to_end(tenant)
            if not waiter.turn.done():
                self._active += 1
                waiter.turn.set_result(True)

    def _give_up(self, tenant: str, waiter: _Waiter) -> None:
        """Its turn may have come in this very moment."""
        if waiter.is_on:
            self.give_back()
        elif waiter in self._lines.get(tenant, ()):
            self._leave_line(tenant, waiter)

    def _send_one_away(self) -> None:
        tenant = max(self._lines, key=lambda tenant: len(self._lines[tenant]))
        waiter = self._lines[tenant][-1]
        self._leave_line(tenant, waiter)
        if not waiter.turn.done():
            waiter.turn.set_exception(_no_room())

    def _leave_line(self, tenant: str, waiter: _Waiter) -> None:
        self._lines[tenant].remove(waiter)
        self._count(-1)
        if not self._lines[tenant]:
            del self._lines[tenant]

    def _count(self, change: int) -> None:
        self._waiting += change
        self._on_waiting(change)


def _no_room() -> Problem:
    message = "The gateway has as many requests as it may serve at once, and no room to wait. Try again shortly."
    return Problem(503, "gateway_overloaded", message, retry_after=_AGAIN_S)
