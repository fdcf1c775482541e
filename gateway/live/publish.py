"""The parent's half: what the window says, in a file that every worker looks at."""

import asyncio
import time
from pathlib import Path

from gateway.live.window import Window
from policies.live import LiveTimes, encode_times

PUBLISH_EVERY_S = 2.0


async def publish_live(window: Window, path: Path) -> None:
    """For ever."""
    said: tuple[LiveTimes, ...] = ()
    while True:
        times = window.times(time.time())
        if times != said:
            write_times(path, times)
            said = times
        await asyncio.sleep(PUBLISH_EVERY_S)


def write_times(path: Path, times: tuple[LiveTimes, ...]) -> None:
    """Whole or not at all."""
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(encode_times(times))
    unfinished.replace(path)
