"""The parent's half: what the window says, in a file that every worker looks at."""

import asyncio
import logging
import time
from pathlib import Path

from gateway.live.exchange import LiveExchange, Told
from gateway.live.window import Window, times
from gateway.valkey import ValkeyError
from policies.live import LiveTimes, encode_times

log = logging.getLogger("weighbridge.live")

PUBLISH_EVERY_S = 2.0


async def publish_live(
    window: Window, path: Path, every_s: float = PUBLISH_EVERY_S, exchange: LiveExchange | None = None
) -> None:
    """For ever; what cannot be written is tried again. With an ``exchange`` other gateways' requests count, too."""
    said: tuple[LiveTimes, ...] = ()
    while True:
        own = window.told(time.time())
        found = times((*own, *(await _others(exchange, own) if exchange is not None else ())))
        try:
            if found != said:
                write_times(path, found)
                said = found
        except OSError as error:
            log.warning("live times could not be written", extra={"reason": error.strerror})
        await asyncio.sleep(every_s)


async def _others(exchange: LiveExchange, own: tuple[Told, ...]) -> tuple[Told, ...]:
    """Nothing while Valkey is away: each gateway goes by its own requests then."""
    try:
        return await exchange.others(own)
    except ValkeyError as error:
        log.warning("no word of other gateways' live times", extra={"reason": str(error)})
        return ()


def write_times(path: Path, times: tuple[LiveTimes, ...]) -> None:
    """Whole or not at all."""
    unfinished = path.with_suffix(".new")
    unfinished.write_bytes(encode_times(times))
    unfinished.replace(path)
