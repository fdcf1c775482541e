"""Whether the gateways say that they live, and how soon, all through a run."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

log = logging.getLogger("chaos")
_EVERY_S = 0.25
_SLOW_S = 0.5
_PATIENCE_S = 60.0
_ASK = b"GET /health/live HTTP/1.1\r\nhost: chaos\r\nconnection: close\r\n\r\n"


@dataclass(slots=True)
class Pulse:
    """``seconds`` of every answer. Nobody answers for a gateway that is being started again: that is not counted."""

    seconds: list[float] = field(default_factory=list)

    async def watch(self, ports: Sequence[int]) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            for port in ports:
                group.create_task(self._feel(port))

    async def _feel(self, port: int) -> None:
        while True:
            began = time.monotonic()
            if await _lives(port):
                self.seconds.append(time.monotonic() - began)
                if self.seconds[-1] > _SLOW_S:
                    log.info("/health/live of port %d took %.1f s", port, self.seconds[-1])
            await asyncio.sleep(_EVERY_S)

    @property
    def text(self) -> str:
        if not self.seconds:
            return "/health/live never answered."
        ordered = sorted(self.seconds)
        p99 = ordered[len(ordered) * 99 // 100]
        return (
            f"/health/live answered {len(ordered):,} times, p50 {ordered[len(ordered) // 2] * 1000:.0f} ms,"
            f" p99 {p99 * 1000:.0f} ms, at the slowest {ordered[-1] * 1000:.0f} ms."
        )


async def _lives(port: int) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(_ASK)
            line = await reader.readline()
            writer.transport.abort()
            return b" 200 " in line
    except (OSError, TimeoutError):
        return False
