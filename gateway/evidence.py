"""The evidence as a file: the parent writes it, every worker looks for a newer one. It works without Valkey."""

import asyncio
import logging
from pathlib import Path

from gateway.router import Router
from policies.snapshot import InvalidScorecard, Snapshot

log = logging.getLogger("weighbridge.evidence")

LOOK_EVERY_S = 0.5


def write(path: Path, evidence: Snapshot) -> None:
    """Whole or not at all: readers never see half a file."""
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(evidence.encode())
    unfinished.replace(path)


class EvidenceFile:
    def __init__(self, path: Path, router: Router) -> None:
        self._path = path
        self._router = router
        self._seen: tuple[int, int] | None = None

    @property
    def known(self) -> bool:
        """Whether any evidence, be it empty, has been learnt."""
        return self._seen is not None

    def look(self) -> None:
        """Learns the evidence if the file is another one than last time."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._router.learn(Snapshot.decode(self._path.read_bytes()))
        except InvalidScorecard:
            log.exception("the evidence could not be read; the last one stays in force")

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()
