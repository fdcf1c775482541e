"""The evidence as files: the parent writes them, every worker looks for newer ones. It works without Valkey.

Scorecards and admissions are in one. Live times are in another, as they change every few seconds.
"""

import asyncio
import logging
from pathlib import Path

from gateway.routing.router import Router
from policies.live import InvalidTimes, decode_times
from policies.snapshot import InvalidScorecard, Snapshot

log = logging.getLogger("weighbridge.evidence")

LOOK_EVERY_S = 0.5


def write(path: Path, evidence: Snapshot) -> None:
    """Whole or not at all: readers never see half a file."""
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(evidence.encode())
    unfinished.replace(path)


class EvidenceFile:
    def __init__(self, path: Path, live_path: Path, router: Router) -> None:
        self._file = _Watched(path)
        self._live = _Watched(live_path)
        self._router = router

    @property
    def known(self) -> bool:
        """Whether any evidence, be it empty, has been learnt."""
        return self._file.seen is not None

    def look(self) -> None:
        """Learns what is in a file that is another one than last time."""
        try:
            if (data := self._file.news()) is not None:
                self._router.learn(Snapshot.decode(data))
            if (data := self._live.news()) is not None:
                self._router.learn_live(decode_times(data))
        except (InvalidScorecard, InvalidTimes):
            log.exception("the evidence could not be read; the last one stays in force")

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()


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
