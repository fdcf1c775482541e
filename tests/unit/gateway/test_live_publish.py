import asyncio
import time
from contextlib import suppress
from pathlib import Path

from gateway.ledger.events import AttemptDetail, Settled
from gateway.live import publish
from gateway.live.window import Window
from policies.live import LiveTimes, decode_times
from tests.fixtures.waiting import LONG_S


def settled() -> Settled:
    attempt = AttemptDetail("small", "http://r", "rev", "ok", 900.0, ttft_ms=90.0)
    facts = (
        "1",
        time.time(),
        "t",
        "auto",
        "auto",
        "chat",
        "small",
        "rev",
        "ok",
        200,
        "miss",
        True,
        1,
        1,
        0,
        "provider",
        0,
    )
    return Settled(*facts, ttft_ms=90.0, total_ms=900.0, attempts=[attempt])


def written(path: Path) -> tuple[LiveTimes, ...]:
    return decode_times(path.read_bytes()) if path.exists() else ()


async def test_the_window_is_told_and_told_again_once_the_folder_can_be_written(tmp_path: Path) -> None:
    window, path = Window(), tmp_path / "later" / "live.json"
    window.record([settled()])
    telling = asyncio.create_task(publish.publish_live(window, path, every_s=0.01))
    await asyncio.sleep(0)
    path.parent.mkdir()
    async with asyncio.timeout(LONG_S):
        while not (told := written(path)):  # noqa: ASYNC110 (a file has no event)
            await asyncio.sleep(0.01)
    (times,) = told
    assert (times.route, times.answers) == ("small", 1)
    telling.cancel()
    with suppress(asyncio.CancelledError):
        await telling
