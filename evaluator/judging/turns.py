"""How many samples run at once, and which of them alone."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """At most ``parallel`` at once, or one alone."""

    def __init__(self, parallel: int) -> None:
        self._parallel = parallel
        self._places = asyncio.Semaphore(parallel)
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        async with self._places:
            yield

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        async with self._one, contextlib.AsyncExitStack() as places:
            for _ in range(self._parallel):
                await places.enter_async_context(self._places)
            yield


def patience() -> float:
    """How many programs want each processor: on a machine that others keep busy, a limit in seconds is worth less."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
