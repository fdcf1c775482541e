"""A worker's own journal of ledger events: on disk before the request goes on, in the store soon after.

A line is in the kernel's page cache when ``append`` returns, so it survives the death of the process. It is fsynced in
groups, off the request path, within ``SYNC_INTERVAL_S``: a power loss loses at most that.

A spool is a folder: ``NNNNNN.jsonl`` segments and a ``lock`` that its worker holds as long as it lives. It gets its
name only when the lock is held: an unlocked spool is a dead worker's.
"""

import asyncio
import fcntl
import logging
import os
from collections import deque
from pathlib import Path

import msgspec

from gateway.ledger.events import Event

log = logging.getLogger("weighbridge.ledger")

SYNC_INTERVAL_S = 0.05
RETRY_S = 1.0
MOST_OWED = 20_000
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
        self._torn = False
        self._owed: deque[bytes] = deque()
        self._retry: asyncio.TimerHandle | None = None
        self._sync: asyncio.TimerHandle | None = None
        self._syncing: asyncio.Future[None] | None = None

    def append(self, event: Event, *, owed: bool = False) -> None:
        """Raises ``SpoolFull`` when the disk does not take it. What is ``owed`` has happened already: it is kept, and
        written before anything else once the disk takes it.
        """
        line = self._encode(event) + b"\n"
        try:
            if self._owed:
                self._pay()
            self._write(line)
        except SpoolFull as full:
            if not owed:
                raise
            self._owe(line, full)

    def close(self) -> None:
        """Everything on disk; the parent takes the folder from here."""
        if self._sync is not None:
            self._sync.cancel()
        self._try_to_pay()
        if self._owed:
            count = len(self._owed)
            log.error("settled requests could not be recorded; they count as orphaned", extra={"count": count})
        if self._retry is not None:
            self._retry.cancel()
        os.fsync(self._file)
        os.close(self._file)
        os.close(self._lock)

    def _write(self, line: bytes) -> None:
        """A line that the disk took half of is ended before the next one, which would be unreadable with it."""
        data = b"\n" + line if self._torn else line
        try:
            written = os.write(self._file, data)
        except OSError as error:
            raise SpoolFull(f"the ledger cannot be written: {error.strerror or error}") from error
        self._written += written
        if self._sync is None:
            self._sync = asyncio.get_running_loop().call_later(SYNC_INTERVAL_S, self._start_sync)
        if written != len(data):
            self._torn = written != len(data) - len(line)
            raise SpoolFull("the ledger's disk is full")
        self._torn = False

    def _owe(self, line: bytes, full: SpoolFull) -> None:
        if len(self._owed) >= MOST_OWED:
            log.error("a settled request could not be recorded; it counts as orphaned", extra={"reason": str(full)})
            return
        if not self._owed:
            log.error("settled requests wait in memory: the spool cannot be written", extra={"reason": str(full)})
        self._owed.append(line)
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._try_to_pay)

    def _pay(self) -> None:
        while self._owed:
            self._write(self._owed[0])
            self._owed.popleft()

    def _try_to_pay(self) -> None:
        self._retry = None
        try:
            self._pay()
        except SpoolFull:
            self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._try_to_pay)

    def _start_sync(self) -> None:
        self._sync = None
        file, full = self._file, False
        if self._written >= SEGMENT_BYTES:
            try:
                self._file = self._open_segment()
                full = True
            except OSError:
                log.exception("no new segment of the spool could be begun; the last one goes on")
        self._syncing = asyncio.get_running_loop().run_in_executor(None, _fsync, file, full)

    def _open_segment(self) -> int:
        path = self._folder / f"{self._segment + 1:06d}.jsonl"
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._segment += 1
        self._written = 0
        self._torn = False
        return file


def _fsync(file: int, close: bool) -> None:
    os.fsync(file)
    if close:
        os.close(file)
