"""JSON lines that survive a kill: every row is on the disk before ``append`` returns."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

import msgspec

Row = TypeVar("Row")


class DamagedJournal(Exception):
    """A line before the last one cannot be read: not something that a kill leaves behind."""


class Journal(Generic[Row]):
    """Appends rows of one type and reads them back in order. A line that a kill cut short is dropped on opening."""

    def __init__(self, path: Path, row_type: type[Row]) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(row_type)
        self._lock = threading.Lock()
        self._file = path.open("ab")
        self._file.truncate(self._end_of_last_whole_row())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._file.close()

    def append(self, row: Row) -> None:
        """Blocks until the row is on the disk; may be called from several threads."""
        line = msgspec.json.encode(row) + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())

    def rows(self) -> Iterator[Row]:
        """One row at a time, so a journal may be larger than memory."""
        with self._path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield self._decoder.decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise DamagedJournal(f"{self._path}:{number}: {error}") from error

    def _end_of_last_whole_row(self) -> int:
        """The file's length in bytes without a last line that lacks its end or, after a power loss, its contents."""
        end = start = 0
        last = b""
        with self._path.open("rb") as file:
            for line in file:
                start, last, end = end, line, end + len(line)
        if not last:
            return 0
        try:
            self._decoder.decode(last)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return start
        return end if last.endswith(b"\n") else start
