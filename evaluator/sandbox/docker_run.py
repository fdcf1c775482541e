"""A program in a container that waits for it."""

import asyncio
import contextlib
import os
import shlex
import socket
import struct
from dataclasses import dataclass

from evaluator.sandbox import cgroup, cpu_time
from evaluator.sandbox.docker_engine import Ended, Engine
from evaluator.sandbox.sandbox import Program

WAITING = 'read -r size && eval "$(dd bs="$size" count=1 iflag=fullblock status=none)"; exit $?'
"""What a warm container's shell does: it reads a command's length, the command itself, and runs it.

The command is its child, so that the program is not process 1 of its container, to which signals mean less.
"""

_FRAME = struct.Struct(">BxxxL")
_STDOUT, _STDERR = 1, 2
_READ_BYTES = 1 << 18
_STDERR_BYTES = 4096
_END_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Container:
    """A started container that waits for a command. ``group``: what bounds it, where its runtime does not."""

    id: str
    stream: socket.socket
    process: int
    """Its first process on this machine; 0 where the engine is elsewhere."""
    group: cgroup.Group | None = None


class DockerRun:
    """A started program; see ``sandbox.Run``."""

    def __init__(self, engine: Engine, container: Container, program: Program) -> None:
        self._engine = engine
        self._container = container
        self._received = bytearray()
        self._stderr = bytearray()
        self._ended: asyncio.Task[Ended] | None = None
        self._kills_before = container.group.kills() if container.group else 0
        command = os.fsencode(shlex.join(program.argv))
        self._feeding = asyncio.create_task(self._feed(b"%d\n" % len(command) + command + program.stdin))

    async def read(self) -> bytes:
        while True:
            while (frame := self._frame()) is None:
                if not await self._receive():
                    await self._wait(_END_SECONDS)  # an engine that broke raises; a program may go on without output
                    return b""
            kind, payload = frame
            if kind == _STDOUT and payload:
                return payload
            if kind == _STDERR:
                self._stderr = (self._stderr + payload)[-_STDERR_BYTES:]

    async def exit_status(self) -> int:
        ended = await self._wait()
        assert ended
        return ended.status

    def stderr(self) -> str:
        return self._stderr.decode(errors="replace").strip()

    def cpu_seconds(self) -> float | None:
        process = self._container.process
        return cpu_time.of_descendants(process) if process else None

    def out_of_memory(self) -> bool:
        group = self._container.group
        if group is not None and group.kills() > self._kills_before:
            return True
        ended = self._ended
        return ended is not None and ended.done() and not ended.exception() and ended.result().out_of_memory

    async def end(self) -> None:
        """Lets go of the container; killing it is for its owner."""
        for task in (self._feeding, self._ended):
            if task is not None:
                task.cancel()
        await asyncio.gather(self._feeding, *([self._ended] if self._ended else []), return_exceptions=True)

    async def _wait(self, seconds: float | None = None) -> Ended | None:
        """How the container ended; None where it has not within ``seconds``."""
        if self._ended is None:
            self._ended = asyncio.create_task(self._engine.wait(self._container.id))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._ended)
        return None

    def _frame(self) -> tuple[int, bytes] | None:
        """The next whole frame that was received."""
        if len(self._received) < _FRAME.size:
            return None
        kind, size = _FRAME.unpack_from(self._received)
        end = _FRAME.size + size
        if len(self._received) < end:
            return None
        payload = bytes(self._received[_FRAME.size : end])
        del self._received[:end]
        return kind, payload

    async def _receive(self) -> bool:
        loop = asyncio.get_running_loop()
        try:
            chunk = await loop.sock_recv(self._container.stream, _READ_BYTES)
        except ConnectionError:  # it ended with input unread
            return False
        self._received += chunk
        return bool(chunk)

    async def _feed(self, content: bytes) -> None:
        with contextlib.suppress(OSError):  # it may end without reading all
            await asyncio.get_running_loop().sock_sendall(self._container.stream, content)
            self._container.stream.shutdown(socket.SHUT_WR)
