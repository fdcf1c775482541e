"""A worker's HTTP server, which takes its leave: uvicorn's would stop listening at once, and nobody hear why."""

import asyncio
import signal
import socket
from types import FrameType

import uvicorn

from gateway.processes.generations import Generations


class Server(uvicorn.Server):
    """Told to end, it lets the application close, which it may do for ``grace_s``. Told again, it goes on with that: of
    a parent that is killed the kernel tells it once for each of that one's threads. Who is impatient kills it.
    """

    def __init__(self, config: uvicorn.Config, app: Generations, grace_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._grace_s = grace_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is None or not self.started:
            super().handle_exit(sig, frame)
        else:
            self._loop.call_soon_threadsafe(self._begin_leave, sig)

    def _begin_leave(self, sig: int) -> None:
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._leave(sig))

    async def _leave(self, sig: int) -> None:
        try:
            await self._app.close(self._grace_s)
        finally:
            super().handle_exit(signal.Signals(sig), None)
