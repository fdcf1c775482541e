"""The evidence as files: the parent writes them, every worker looks for newer ones. It works without Valkey.

Scorecards and admissions are in one. Their bounds are in another, written before: a worker that had to compute those of
a thousand scorecards would serve nobody for a second. Live times are in a third, as they change every few seconds.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from gateway.routing.router import Router
from policies import remembered
from policies.correctness import Correctness
from policies.live import InvalidTimes, decode_times
from policies.snapshot import InvalidScorecard, Snapshot

log = logging.getLogger("weighbridge.evidence")

LOOK_EVERY_S = 0.5
CONFIDENCE = 0.95
"""Of the bounds that workers are told: metrics' and most gates'."""


def write(path: Path, bounds_path: Path, evidence: Snapshot) -> None:
    """May compute for a while: 0.7 ms for each scorecard that is new."""
    for card in evidence.scorecards:
        measured = Correctness.of(card)
        measured.lower(CONFIDENCE)
        measured.upper(CONFIDENCE)
    _replace(bounds_path, msgspec.json.encode(remembered.last(2 * len(evidence.scorecards))))
    _replace(path, evidence.encode())


def _replace(path: Path, data: bytes) -> None:
    """Whole or not at all: readers never see half a file."""
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def _learn_bounds(path: Path) -> None:
    """Without them they are computed."""
    with suppress(FileNotFoundError, msgspec.DecodeError):
        remembered.learn(_decode_bounds(path.read_bytes()))


_decode_bounds = msgspec.json.Decoder(dict[str, float]).decode


class EvidenceFile:
    def __init__(self, path: Path, bounds_path: Path, live_path: Path, router: Router) -> None:
        self._bounds = bounds_path
        self._file = _Watched(path)
        self._live = _Watched(live_path)
        self._router = router
        self.known = False
        """Whether any evidence, be it empty, has been learnt."""

    def look(self) -> None:
        """Learns what is in a file that is another one than last time."""
        for _ in self._learning():
            pass

    async def watch(self) -> None:
        """As ``look``, for ever; requests are served between its steps."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for _ in self._learning():
                await asyncio.sleep(0)

    def _learning(self) -> Iterator[None]:
        try:
            if (data := self._file.news()) is not None:
                _learn_bounds(self._bounds)
                yield
                evidence = Snapshot.read(data)
                yield from self._router.learning(evidence)
            if (data := self._live.news()) is not None:
                self._router.learn_live(decode_times(data))
        except (InvalidScorecard, InvalidTimes):
            log.exception("the evidence could not be read; the last one stays in force")
        self.known = self._file.seen is not None


class _Watched:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.seen: tuple[int, int] | None = None

    def news(self) -> bytes | None:
        """What is in the file, if it is another one than last time."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen == self.seen:
            return None
        self.seen = seen
        return self._path.read_bytes()
