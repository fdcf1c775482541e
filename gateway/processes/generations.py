"""Config reload, a worker's half: an application a configuration, swapped between two requests.

A request stays with the application that it came to. One that was replaced ends when its last request has.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway.config import Config, parse_config
from gateway.processes.runtime import Runtime

log = logging.getLogger("weighbridge.reload")

LOOK_EVERY_S = 0.5


class AcceptedConfig:
    """The file in which the parent publishes the configuration in force; ``path`` is the user's own."""

    def __init__(self, runtime: Runtime, path: str) -> None:
        self._file = runtime.config_file
        self._path = path
        self._seen: tuple[int, int] | None = None

    def load(self) -> Config | None:
        """None when the parent has published nothing new. Raises ``ConfigError``, ``OSError``."""
        stat = self._file.stat()
        seen = (stat.st_ino, stat.st_mtime_ns)
        if seen == self._seen:
            return None
        self._seen = seen
        return parse_config(self._file.read_text(encoding="utf-8"), self._path)


class Generation:
    """One application while it serves: it is entered, used by requests, retired, and left by the last of them."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.requests = 0
        self._retired = False
        self._over = asyncio.Event()
        self._life: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when the application is ready. Raises what its start raises."""
        ready = asyncio.Event()
        self._life = asyncio.create_task(self._live(ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({self._life, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not ready.is_set():
            await self._life

    def retire(self) -> None:
        self._retired = True
        self._look()

    async def ended(self) -> None:
        assert self._life is not None
        await self._life

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.requests -= 1
            self._look()

    def _look(self) -> None:
        if self._retired and not self.requests:
            self._over.set()

    async def _live(self, ready: asyncio.Event) -> None:
        async with self.app.router.lifespan_context(self.app):
            ready.set()
            await self._over.wait()


class Generations:
    """The ASGI application that a worker serves: it hands every request to the newest generation.

    ``build`` makes an application, given the one that it is to replace; ``on_end`` is called after the last one ended.
    """

    def __init__(
        self, accepted: AcceptedConfig, build: Callable[[Config, FastAPI | None], FastAPI], on_end: Callable[[], None]
    ) -> None:
        self._accepted = accepted
        self._build = build
        self._on_end = on_end
        self._current: Generation | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            assert self._current is not None
            await self._current.serve(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """Server and application say to each other that they begin and end, as ASGI's lifespan protocol has it."""
        await receive()
        await self._look()
        log.info("a worker is ready")
        watching = asyncio.create_task(self._watch())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        self._retire()
        await asyncio.gather(*self._ending)
        self._on_end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if await self._look():
                    log.info("a worker serves the new config")
            except Exception:
                log.exception("a worker cannot serve the new config; the old one goes on serving")

    async def _look(self) -> bool:
        """Swaps the application when there is a new configuration; the old one goes on until the new one is ready."""
        config = self._accepted.load()
        if config is None:
            return False
        generation = Generation(self._build(config, self._current.app if self._current is not None else None))
        await generation.start()
        self._retire()
        self._current = generation
        return True

    def _retire(self) -> None:
        if self._current is not None:
            self._current.retire()
            ending = asyncio.create_task(self._current.ended())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
