"""One replay's folder: ``manifest.json``, ``samples.jsonl``, ``verdicts.jsonl``, ``scorecards.json``."""

import fcntl
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from evaluator.store.journal import Journal
from evaluator.store.records import Outcome, Sample


class RunBusy(Exception):
    """Another process is working on the same run."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, belongs to this process while the body runs.

    Raises RunBusy while another holds it; a killed one holds nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hold = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunBusy(f"another process is working in {folder}") from error
        yield
    finally:
        os.close(hold)


class RunFolder:
    """Opened by one process at a time. Raises RunBusy while another holds it; a killed one holds nothing."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._hold = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(self._hold, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._hold)
            raise RunBusy(f"another replay is writing to {path}") from error
        self.samples = Journal(path / "samples.jsonl", Sample)
        self.outcomes = Journal(path / "verdicts.jsonl", Outcome)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.samples.__exit__(kind, error, trace)
        self.outcomes.__exit__(kind, error, trace)
        os.close(self._hold)

    @property
    def run_id(self) -> str:
        return self.path.name

    def read(self, name: str) -> dict[str, Any] | None:
        """A JSON document of the run; None when it was not written yet."""
        file = self.path / name
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Any]) if file.exists() else None

    def write(self, name: str, document: Mapping[str, object]) -> None:
        """Whole or not at all, also when killed half-way."""
        draft = self.path / f".{name}"
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path / name)


def run_path(runs: Path, run_id: str, *, new: bool) -> Path:
    """The folder of the latest run with this id, or the next one's: ``ID``, then ``ID.2``, ``ID.3``."""
    numbers = [1] if (runs / run_id).exists() else []
    numbers += [int(match[1]) for path in runs.glob(f"{run_id}.*") if (match := re.search(r"\.(\d+)$", path.name))]
    number = max(numbers, default=0) + new or 1
    return runs / (run_id if number == 1 else f"{run_id}.{number}")
