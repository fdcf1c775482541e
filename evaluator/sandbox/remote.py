"""A sandbox in another process: what is asked of it runs in `weighbridge sandboxd`, which may have other rights."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from evaluator.sandbox import wire
from evaluator.sandbox.sandbox import Limits, Program, SandboxError

_HELLO_SECONDS = 30.0
_END_SECONDS = 60.0


class Remote:
    """``path``: sandboxd's Unix socket. What it is and has is known once entered."""

    def __init__(self, path: Path | str) -> None:
        self.name, self.limits_by, self.brings_tools = "sandboxd", "", False
        self._path = path

    async def __aenter__(self) -> Self:
        async with self._connection() as (reader, writer), _heard():
            await wire.send(writer, wire.HELLO)
            async with asyncio.timeout(_HELLO_SECONDS):
                about = json.loads(_ready(await wire.receive(reader)))
        self.name = f"{about['name']} in sandboxd"
        self.limits_by, self.brings_tools = about["limits_by"], about["brings_tools"]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass  # a connection a run: nothing is held between them

    @asynccontextmanager
    async def start(self, program: Program, limits: Limits) -> AsyncIterator["RemoteRun"]:
        async with self._connection() as (reader, writer):
            sending = asyncio.create_task(_send(writer, program, limits))
            try:
                async with _heard():
                    _ready(await wire.receive(reader))
                yield RemoteRun(reader)
            finally:
                if sending.done():
                    await asyncio.shield(_leave(reader, writer))
                else:  # it refused, or we are cancelled: nothing runs before all is sent
                    writer.transport.abort()
                await sending

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
        except OSError as error:
            raise SandboxError(f"no sandboxd serves at {self._path}; start it: weighbridge sandboxd") from error
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class RemoteRun:
    """A started program; see ``sandbox.Run``. What it says of itself is a fraction of a second old."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._state = wire.State()
        self._output_ended = False

    async def read(self) -> bytes:
        while not self._output_ended:
            kind, payload = await self._receive()
            if kind == wire.OUTPUT:
                return payload
            self._output_ended = kind in (wire.OUTPUT_END, wire.ENDED)
        return b""

    async def exit_status(self) -> int:
        while self._state.status is None:
            await self._receive()
        return self._state.status

    def stderr(self) -> str:
        return self._state.stderr

    def cpu_seconds(self) -> float | None:
        return self._state.cpu_seconds

    def out_of_memory(self) -> bool:
        return self._state.out_of_memory

    async def _receive(self) -> tuple[bytes, bytes]:
        async with _heard():
            frame = await wire.receive(self._reader)
            if frame is None:
                raise SandboxError("sandboxd has gone")
            if frame[0] == wire.BROKEN:
                raise SandboxError(frame[1].decode(errors="replace"))
            if frame[0] in (wire.STATE, wire.OUTPUT_END, wire.ENDED):
                self._state = wire.state(frame[1])
            return frame


async def _send(writer: asyncio.StreamWriter, program: Program, limits: Limits) -> None:
    with contextlib.suppress(ConnectionError):  # it refused; it says why
        await wire.send_program(writer, program, limits)


async def _leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Returns when sandboxd has killed what was left of the run, and closed."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            writer.write_eof()
            while await reader.read(wire.CHUNK_BYTES):
                pass


def _ready(frame: tuple[bytes, bytes] | None) -> bytes:
    """READY's payload."""
    if frame is None:
        raise SandboxError("sandboxd has gone")
    kind, payload = frame
    if kind != wire.READY:
        raise SandboxError(payload.decode(errors="replace") or "sandboxd refused")
    return payload


@contextlib.asynccontextmanager
async def _heard() -> AsyncIterator[None]:
    try:
        yield
    except (wire.WireError, TimeoutError, OSError) as error:
        raise SandboxError(f"sandboxd does not answer as it should: {error}") from error
