"""What a power loss may take: a line is on its way to the disk itself soon after it was written, behind the request."""

import asyncio
from pathlib import Path

from gateway.ledger.events import Opened
from gateway.ledger.spool import SYNC_INTERVAL_S, Spool
from tests.fixtures.wire_server import eventually


async def test_lines_are_synced_in_groups_behind_the_request(tmp_path: Path) -> None:
    assert SYNC_INTERVAL_S <= 0.05  # docs/money.md promises it
    spool = Spool(tmp_path / "spools", "one")
    for round_ in range(2):
        for number in range(3):
            spool.append(Opened(f"{round_}{number}", 1.0, "t", "auto", "auto", "chat"))
        due = spool._sync
        assert due is not None and due.when() <= asyncio.get_running_loop().time() + SYNC_INTERVAL_S
        await eventually(lambda: spool._sync is None and spool._syncing is not None and spool._syncing.done())
        syncing, spool._syncing = spool._syncing, None
        assert syncing is not None and syncing.exception() is None
    spool.close()
