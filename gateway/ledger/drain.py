"""The parent's side of the spools: into the store in batches, then away. Nothing is lost or counted twice.

How far a spool is read is written with what was read, as one: nothing is read again after a crash, not even what has
left the store since. Where it were, it would change nothing: the store goes by request id.
"""

import asyncio
import fcntl
import logging
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from gateway.ledger.events import Event
from gateway.ledger.spool import PROGRESS_FILE
from gateway.store import positions
from gateway.store.outage import Outage
from gateway.store.store import Store
from gateway.store.trouble import StoreError, StoreRefused

log = logging.getLogger("weighbridge.ledger")

DRAIN_EVERY_S = 0.2
AFTER_FAILURE_S = 1.0
_BATCH_BYTES = 1024 * 1024
_decode = msgspec.json.Decoder(Event).decode


@dataclass(slots=True)
class _Spool:
    folder: Path
    read: dict[Path, int] = field(default_factory=dict)
    """Bytes of each segment that are in the store."""


class Drain:
    """Drains every spool below ``root``: those of living workers, and the orphans of dead ones."""

    def __init__(
        self,
        root: Path,
        store: Store,
        on_recorded: Callable[[Iterable[Event]], None] = lambda events: None,
        on_orphaned: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """``on_recorded`` is told of events once they are in the store, ``on_orphaned`` of a dead worker's spool."""
        self._root = root
        self._store = store
        self._on_recorded = on_recorded
        self._on_orphaned = on_orphaned
        self._spools: dict[str, _Spool] = {}
        self._lock = asyncio.Lock()
        self._published: dict[str, int] | None = None
        self._under_way: asyncio.Task[bool] | None = None
        self._outage = Outage(log, "the ledger waits in the spools: the store does not take it")

    async def watch(self) -> None:
        """Drains for ever. What has begun is ended even when this is cancelled, and ``once`` waits for it.

        A transaction that is cancelled in the middle would leave the store locked.
        """
        while True:
            self._under_way = asyncio.create_task(self.attempt())
            well = await asyncio.shield(self._under_way)
            await asyncio.sleep(DRAIN_EVERY_S if well else AFTER_FAILURE_S)

    async def attempt(self) -> bool:
        """``once``, where it goes well. What is in the spools waits there otherwise."""
        try:
            await self.once()
        except (StoreError, OSError) as error:
            self._outage.failed(error)
            return False
        except Exception:
            log.exception("the spools could not be drained")
            return False
        self._outage.over()
        return True

    async def once(self) -> None:
        """Everything that is on disk now. Raises ``StoreError``, ``OSError``."""
        async with self._lock:
            for folder in sorted(self._root.glob("[!.]*")):
                spool = self._spools.get(folder.name) or await self._begin(folder)
                orphaned = _is_orphan(folder)  # asked first: what it wrote before it died is then all there
                await self._drain(spool)
                if orphaned:
                    await self._bury(spool)
            self._publish()

    async def _begin(self, folder: Path) -> _Spool:
        """Where an earlier process left off."""
        left_off = await self._store.read(partial(positions.of, spool=folder.name))
        spool = self._spools[folder.name] = _Spool(folder, _read_before(folder, left_off))
        return spool

    def _publish(self) -> None:
        """Leaves word of how far each segment is in the store, for those who want to know how far it is behind."""
        segments = (item for spool in self._spools.values() for item in spool.read.items())
        read = {f"{segment.parent.name}/{segment.name}": end for segment, end in segments}
        if read != self._published:
            unfinished = self._root / f"{PROGRESS_FILE}.new"
            unfinished.write_bytes(msgspec.json.encode(read))
            unfinished.replace(self._root / PROGRESS_FILE)
            self._published = read

    async def _drain(self, spool: _Spool) -> None:
        segments = sorted(spool.folder.glob("*.jsonl"))
        for number, segment in enumerate(segments, 1):
            for events, end in _batches(segment, spool.read.get(segment, 0)):
                await self._record(spool.folder.name, events, (segment.name, end))
                self._on_recorded(events)
                spool.read[segment] = end
            if number < len(segments):  # its worker writes to a later one
                segment.unlink()
                spool.read.pop(segment, None)

    async def _record(self, spool: str, events: list[Event], read_to: tuple[str, int]) -> None:
        """One that the store will never take must not hold up all that come after it."""
        try:
            await self._store.record(spool, events, read_to)
            return
        except StoreRefused:
            log.exception("the store refuses events of the ledger")
        for event in events:
            try:
                await self._store.record(spool, [event])
            except StoreRefused as error:
                log.error("an event is not in the ledger", extra={"request_id": event.id, "reason": str(error)})
        await self._store.record(spool, [], read_to)

    async def _bury(self, spool: _Spool) -> None:
        orphans = await self._store.settle_orphans(spool.folder.name, time.time())
        if orphans:
            log.warning("requests of a dead worker were settled as orphaned", extra={"count": orphans})
        if self._on_orphaned is not None:
            await self._on_orphaned(spool.folder.name)
        shutil.rmtree(spool.folder)
        del self._spools[spool.folder.name]
        await self._store.write(partial(positions.forget, spool=spool.folder.name))


def _is_orphan(folder: Path) -> bool:
    """Whether the worker that made the spool is gone: it holds the lock as long as it lives."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return True  # it was being cleared away
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _read_before(folder: Path, left_off: tuple[str, int] | None) -> dict[Path, int]:
    if left_off is None:
        return {}
    last, read = left_off
    earlier = {path: path.stat().st_size for path in folder.glob("*.jsonl") if path.name < last}
    return {**earlier, folder / last: read}


def _batches(segment: Path, start: int) -> Iterator[tuple[list[Event], int]]:
    """Events of whole lines from ``start`` on, and where each batch ends."""
    with segment.open("rb") as file:
        file.seek(start)
        while lines := file.readlines(_BATCH_BYTES):
            if not lines[-1].endswith(b"\n"):
                lines.pop()  # still being written
            if not lines:
                return
            start += sum(map(len, lines))
            yield list(_events(segment, lines)), start


def _events(segment: Path, lines: list[bytes]) -> Iterator[Event]:
    for line in lines:
        try:
            yield _decode(line)
        except msgspec.DecodeError:
            log.error("a line of the ledger's spool could not be read", extra={"segment": segment.name})
