"""`weighbridge watch` as a process of the gateway's own: kept running as the configuration in force says."""

import asyncio
import logging
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from gateway.config import Config
from gateway.config.watching import Watch
from gateway.processes.watch_turn import ASK_EVERY_S, WatchTurn
from gateway.valkey import ValkeyError

log = logging.getLogger("weighbridge.watch")

_AGAIN_AFTER_S = 5.0
_PROGRAM = "from gateway.cli import main; main()"


@dataclass(frozen=True, slots=True)
class _Wanted:
    watch: Watch
    api_key: str | None
    state_dir: str


class WatchKeeper:
    """``url`` is the gateway's own, without a path. It asks as any client does, at the lowest priority.

    ``turn``: watches only while it is this gateway's; None where there are no others.
    """

    def __init__(self, url: str, turn: WatchTurn | None) -> None:
        self._url = url
        self._turn = turn
        self._is_its_turn = turn is None
        self._wanted: _Wanted | None = None
        self._changed = asyncio.Event()

    def want(self, config: Config) -> None:
        """From now on as this configuration says."""
        wanted = None
        if config.watch is not None:
            wanted = _Wanted(config.watch, config.api_key, str(config.state_dir))
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def run(self) -> None:
        """Until it is cancelled; the process has ended then."""
        while True:
            self._changed.clear()
            if self._wanted is None or not self._is_its_turn:
                await self._changed.wait()
                continue
            process = await self._started(self._wanted)
            try:
                ended = await _first(process, self._changed)
            finally:
                await _stopped(process)
            if ended:
                log.error("watching ended; it begins again", extra={"code": process.returncode})
                with suppress(TimeoutError):
                    async with asyncio.timeout(_AGAIN_AFTER_S):
                        await self._changed.wait()

    async def take_turns(self) -> None:
        """Until it is cancelled. While Valkey is away everybody goes on as before."""
        while self._turn is not None:
            try:
                its_turn = self._wanted is not None and await self._turn.asked()
            except ValkeyError as error:
                log.warning("nobody says whose turn it is to watch", extra={"reason": str(error)})
            else:
                if its_turn != self._is_its_turn:
                    self._is_its_turn = its_turn
                    self._changed.set()
            await asyncio.sleep(ASK_EVERY_S)

    async def give_turn_back(self) -> None:
        if self._turn is not None and self._is_its_turn:
            with suppress(ValkeyError):  # it ends by itself
                await self._turn.given_back()

    async def _started(self, wanted: _Wanted) -> Process:
        env = {**os.environ, "WEIGHBRIDGE_STATE_DIR": wanted.state_dir}
        env |= {"WEIGHBRIDGE_API_KEY": wanted.api_key} if wanted.api_key else {}
        env |= {"WEIGHBRIDGE_WATCH_WEBHOOK": wanted.watch.webhook} if wanted.watch.webhook else {}
        own = (f"--base-url={self._url}/v1", f"--parent={os.getpid()}")
        command = (sys.executable, "-c", _PROGRAM, "watch", *wanted.watch.arguments, *own)
        return await asyncio.create_subprocess_exec(*command, env=env, stdin=DEVNULL, start_new_session=True)


@asynccontextmanager
async def running(keeper: WatchKeeper) -> AsyncIterator[None]:
    """Watches while the body runs."""
    tasks = asyncio.create_task(keeper.take_turns()), asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await keeper.give_turn_back()


async def _first(process: Process, changed: asyncio.Event) -> bool:
    """Whether the process ended before anything changed."""
    tasks = {asyncio.create_task(process.wait()), asyncio.create_task(changed.wait())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return process.returncode is not None


async def _stopped(process: Process) -> None:
    """It ends at once: everything it knows is on the disk."""
    with suppress(ProcessLookupError):
        process.terminate()
    await process.wait()
