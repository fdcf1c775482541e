"""What the store knows, as files for the workers: evidence and keys. In the parent process."""

import asyncio
import logging
from collections.abc import Callable

from gateway.keys.register import Register
from gateway.processes.runtime import Runtime
from gateway.routing import evidence
from gateway.store.outage import Outage
from gateway.store.store import Store
from gateway.store.trouble import StoreError
from policies.snapshot import Snapshot

log = logging.getLogger("weighbridge.store")

LOOK_EVERY_S = 0.5
_AFTER_FAILURE_S = 1.0


class Published:
    """Until the store is open, workers go by what was published last. ``on_change`` is told of new evidence."""

    def __init__(self, store: Store, runtime: Runtime, register: Register, on_change: Callable[[], None]) -> None:
        self._store = store
        self._runtime = runtime
        self._register = register
        self._on_change = on_change
        self._one_at_a_time = asyncio.Lock()
        self._version: int | None = None
        self._keys_mark: int | None = None
        self._outage = Outage(log, "the store cannot be opened; what is served is recorded in the spools")
        self.is_open = False

    async def open(self) -> None:
        """Tries until it has succeeded."""
        while True:
            if await self.try_to_open():
                return
            await asyncio.sleep(_AFTER_FAILURE_S)

    async def try_to_open(self) -> bool:
        if self.is_open:
            return True
        try:
            await self._store.migrate()
            await self.evidence()
            await self._register.open()
        except (StoreError, OSError) as error:
            self._outage.failed(error)
            return False
        self._outage.over()
        self.is_open = True
        return True

    async def evidence(self) -> Snapshot:
        """Published anew. Raises ``StoreError``, ``OSError``; then it is made up for."""
        async with self._one_at_a_time:
            self._version = None
            snapshot = await self._store.evidence()
            files = self._runtime.evidence_file, self._runtime.bounds_file
            await asyncio.to_thread(evidence.write, *files, snapshot)  # new bounds take a while
            self._version = snapshot.version
        self._on_change()
        return snapshot

    async def watch(self) -> None:
        """For ever: what other gateways change in a store that is shared, and what could not be written before."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._store.may_be_shared or self._version is None:
                await self._look()

    async def _look(self) -> None:
        marks = await self._store.marks()
        if marks["evidence"] != self._version:
            await self.evidence()
        if marks["keys"] != self._keys_mark:
            await self._register.look()
            self._keys_mark = marks["keys"]
