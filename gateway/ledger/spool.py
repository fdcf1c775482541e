"""A worker's own journal of ledger events: on disk before the request goes on, in the store soon after.

A line is in the kernel's page cache when ``append`` returns, so it survives the death of the process. It is fsynced in
groups, off the request path, within ``SYNC_INTERVAL_S``: a power loss loses at most that.

A spool is a folder: ``NNNNNN.jsonl`` segments and a ``lock`` that its worker holds as long as it lives. It gets its
name only when the lock is held: an unlocked spool is a dead worker's.
"""

import asyncio
import fcntl
import os
from pathlib import Path

import msgspec

from gateway.ledger.events import Event

SYNC_INTERVAL_S = 0.05
SEGMENT_BYTES = 16 * 1024 * 1024
PROGRESS_FILE = ".drained"
"""Beside the spools: how far the parent has read each segment."""


class SpoolFull(OSError):
    """The event could not be written: nothing may be dispatched without it."""


class Spool:
    """Appends events to the spool ``name`` below ``root``; must be used from one event loop."""

    def __init__(self, root: Path, name: str) -> None:
        unborn = root / f".{name}"
        unborn.mkdir(parents=True)
        self._lock = os.open(unborn / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._folder = unborn.rename(root / name)
        self._segment = 0
        self._written = 0
        self._file = self._open_segment()
        self._encode = msgspec.json.Encoder().encode
        self._sync: asyncio.TimerHandle | None = None
        self._syncing: asyncio.Future[None] | None = None

    def append(self, event: Event) -> None:
        """Raises ``SpoolFull`` when the disk does not take it; the newline after a torn line saves the next one."""
        line = self._encode(event) + b"\n"
        try:
            if os.write(self._file, line) != len(line):
                os.write(self._file, b"\n")
                raise SpoolFull("the ledger's disk is full")
        except OSError as error:
            raise SpoolFull(f"the ledger cannot be written: {error.strerror or error}") from error
        self._written += len(line)
        if self._sync is None:
            self._sync = asyncio.get_running_loop().call_later(SYNC_INTERVAL_S, self._start_sync)

    def close(self) -> None:
        """Everything on disk; the parent takes the folder from here."""
        if self._sync is not None:
            self._sync.cancel()
        os.fsync(self._file)
        os.close(self._file)
        os.close(self._lock)

    def _start_sync(self) -> None:
        self._sync = None
        full = self._file if self._written >= SEGMENT_BYTES else None
        self._syncing = asyncio.get_running_loop().run_in_executor(None, _fsync, self._file, full is not None)
        if full is not None:
            self._file = self._open_segment()

    def _open_segment(self) -> int:
        self._segment += 1
        self._written = 0
        path = self._folder / f"{self._segment:06d}.jsonl"
        return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)


def _fsync(file: int, close: bool) -> None:
    os.fsync(file)
    if close:
        os.close(file)
