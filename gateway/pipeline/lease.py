"""Leases in Valkey: who makes an answer that several workers, or gateways, are asked for at the same time.

A lease is taken in the round trip that looks for the answer, and ended in the one that keeps it, so a request which
nobody else asks pays for none. It lapses by itself where its holder dies.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from gateway.script import Script
from gateway.valkey import Command, Valkey, ValkeyError

LEASE_S = 5.0
RENEW_EVERY_S = 1.0
OVER_S = 5.0
"""How long it stands there that an answer was given, if perhaps not kept: longer than anyone who waits pauses."""
_HERE = Path(__file__).parent
_PREFIX = "weighbridge:flight:1:"


class Lease:
    """The right to make one answer. A flight takes it; until then nobody renews it."""

    def __init__(self, leases: "Leases", name: str, token: str) -> None:
        self.name = name
        self.token = token
        self._leases = leases
        self._state: Literal["offered", "taken", "ended"] = "offered"

    def take(self) -> bool:
        """Renewed from now on, until ``end``. False where it was taken or given back before."""
        if self._state != "offered":
            return False
        self._state = "taken"
        self._leases.hold(self)
        return True

    def end(self, *, over: bool) -> None:
        """``over``: the answer was given, so whoever waits need not; else one of them makes it anew."""
        if self._state != "ended":
            self._state = "ended"
            self._leases.release(self, over=over)

    def give_back(self) -> None:
        """Somebody else may have it, unless a flight took it."""
        if self._state == "offered":
            self.end(over=False)


class Leases:
    """One worker's. ``on_ended`` is called when there is something for ``end_all`` to send."""

    def __init__(
        self, valkey: Valkey, *, on_ended: Callable[[], None], on_failure: Callable[[ValkeyError], None]
    ) -> None:
        self._valkey = valkey
        self._on_ended = on_ended
        self._on_failure = on_failure
        self._look_up, self._renew, self._end = (
            Script(_HERE / f"lease_{name}.lua") for name in ("look_up", "renew", "end")
        )
        self._held: set[Lease] = set()
        self._ended: list[tuple[Lease, bool]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def look_up(self, key: str, token: str, most_bytes: int) -> "bytes | Lease | str | None":
        """What is kept there, cut after ``most_bytes``; or the lease; or the token of whoever has it; or None, where
        nobody is to be waited for. Raises ``ValkeyError``.
        """
        name = _PREFIX + key
        reply = await self._look_up.run(self._valkey, (key, name), (token, int(LEASE_S * 1000), most_bytes))
        match reply:
            case bytes():
                return reply
            case 1:
                return Lease(self, name, token)
            case [bytes() as holder]:
                return holder.decode("latin-1")
        return None

    def hold(self, lease: Lease) -> None:
        self._held.add(lease)
        if self._timer is None:
            self._arm()

    def release(self, lease: Lease, *, over: bool) -> None:
        self._held.discard(lease)
        self._ended.append((lease, over))
        self._on_ended()

    async def end_all(self, before: Sequence[Command]) -> None:
        """Those that have ended, after the commands ``before``, in one round trip. Raises ``ValkeyError``."""
        ended, self._ended = self._ended, []
        calls = [((lease.name,), (lease.token, int(OVER_S * 1000) if over else 0)) for lease, over in ended]
        await self._end.run_all(self._valkey, calls, before)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        """One timer for all, which rests when a period began with none: the usual answer is here before it rings."""
        self._timer = asyncio.get_running_loop().call_later(RENEW_EVERY_S, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._held:
            self._renewing = asyncio.create_task(self._renew_all())
            self._arm()

    async def _renew_all(self) -> None:
        calls = [((lease.name,), (lease.token, int(LEASE_S * 1000))) for lease in self._held]
        try:
            await self._renew.run_all(self._valkey, calls)
        except ValkeyError as error:
            self._on_failure(error)
