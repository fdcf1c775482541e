"""Config reload, a worker's half: an application a configuration, swapped between two requests.

A request stays with the application that it came to. One that was replaced ends when its last request has.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from gateway.api import anthropic_error, openai_error
from gateway.api.http import respond
from gateway.config import Config, parse_config
from gateway.problem import Problem
from gateway.processes.runtime import Runtime

log = logging.getLogger("weighbridge.reload")

LOOK_EVERY_S = 0.5
_LOOK_CLOSING_S = 0.05
_LAST_WORDS_S = 2.0
_CLOSING = Problem(503, "closing", "This gateway is going down. Ask again: another one, or the next one, will answer.")
_OPEN_TO_THE_END = frozenset(("/health/live", "/health/ready", "/metrics"))


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
        self._alive: set[Generation] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closing = False

    @property
    def receive_s(self) -> float:
        """How long a request may take to arrive."""
        assert self._current is not None
        return float(self._current.app.state.receive_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._closing and scope["path"] not in _OPEN_TO_THE_END:
            await _turn_away(scope, send)
        else:
            assert self._current is not None
            await self._current.serve(scope, receive, send)

    async def close(self, grace_s: float) -> None:
        """No longer ready from now on: turns new requests away, and waits ``grace_s`` for those under way. What is
        under way then is ended: streams with an error event.
        """
        self._closing = True
        for generation in self._alive:
            generation.app.state.serving = False
        if not await self._quiet(grace_s):
            for generation in self._alive:
                generation.app.state.stop(_CLOSING)
            await self._quiet(_LAST_WORDS_S)

    async def _quiet(self, within_s: float) -> bool:
        """Whether the last request has ended."""
        until = time.monotonic() + within_s
        while any(generation.requests for generation in self._alive):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(_LOOK_CLOSING_S)
        return True

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
        self._alive.add(generation)
        return True

    def _retire(self) -> None:
        if self._current is not None:
            self._current.retire()
            ending = asyncio.create_task(self._end(self._current))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _end(self, generation: Generation) -> None:
        try:
            await generation.ended()
        finally:
            self._alive.discard(generation)


async def _turn_away(scope: Scope, send: Send) -> None:
    shape = anthropic_error if scope["path"].startswith("/v1/messages") else openai_error
    status, headers, body = shape.response(_CLOSING)
    await respond(send, status, [*headers, (b"connection", b"close")], body)
