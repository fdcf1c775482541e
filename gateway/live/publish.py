"""The parent's half: what the window says, in a file that every worker looks at."""

import asyncio
import logging
import time
from pathlib import Path

from gateway.live.window import Window
from policies.live import LiveTimes, encode_times

log = logging.getLogger("weighbridge.live")

PUBLISH_EVERY_S = 2.0


async def publish_live(window: Window, path: Path, every_s: float = PUBLISH_EVERY_S) -> None:
    """For ever; what cannot be written is tried again."""
    said: tuple[LiveTimes, ...] = ()
    while True:
        times = window.times(time.time())
        try:
            if times != said:
                write_times(path, times)
                said = times
        except OSError as error:
            log.warning("live times could not be written", extra={"reason": error.strerror})
        await asyncio.sleep(every_s)


def write_times(path: Path, times: tuple[LiveTimes, ...]) -> None:
    """Whole or not at all."""
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(encode_times(times))
    unfinished.replace(path)
