"""Gateways that share a Valkey hear of each other's admissions. Each keeps all of them; none needs Valkey to serve."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from gateway.script import Script
from gateway.store.store import Store
from gateway.valkey import Valkey, ValkeyError
from policies.admission import Admission

log = logging.getLogger("weighbridge.admissions")

LOOK_EVERY_S = 0.5
_ROWS, _VERSION = "weighbridge:admissions", "weighbridge:admissions:version"


class AdmissionExchange:
    """In the parent process. ``publish`` hands the store's evidence to the workers; ``changed`` says that there is
    something to tell.
    """

    def __init__(
        self, valkey: Valkey, store: Store, publish: Callable[[], Awaitable[object]], changed: asyncio.Event
    ) -> None:
        self._valkey = valkey
        self._store = store
        self._publish = publish
        self._tell_script = Script(Path(__file__).parent / "tell.lua")
        self._decode = msgspec.json.Decoder(Admission).decode
        self._seen: bytes | None = b"never asked"
        self._changed = changed

    async def watch(self) -> None:
        """For ever."""
        self._changed.set()
        while True:
            try:
                await self._exchange()
            except ValkeyError as error:
                self._changed.set()
                log.warning("no word of admissions from other gateways", extra={"reason": str(error)})
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._changed.wait()

    async def _exchange(self) -> None:
        """Nothing where nobody has told anything since the last time."""
        version = await self._valkey.ask("GET", _VERSION)
        if version == self._seen and not self._changed.is_set():
            return
        self._changed.clear()
        told = [self._decode(value.partition(b" ")[2]) for value in await self._valkey.ask("HVALS", _ROWS)]
        if told and await self._store.add_admissions(told):
            await self._publish()
        known = {row.gate: row for row in told}
        ours = (await self._store.evidence()).watched
        await self._tell(row for row in ours if row.gate not in known or _at(known[row.gate]) < _at(row))
        self._seen = version

    async def _tell(self, rows: Iterable[Admission]) -> None:
        args: list[str | bytes | int] = []
        for row in rows:
            args += [msgspec.json.encode(row.gate), f"{_at(row):.6f}", msgspec.json.encode(row)]
        if args:
            await self._tell_script.run(self._valkey, [_ROWS, _VERSION], args)


def _at(row: Admission) -> float:
    return datetime.fromisoformat(row.at).timestamp()
