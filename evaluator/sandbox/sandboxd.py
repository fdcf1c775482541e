"""The process that runs untrusted code for whoever may open its socket. It holds no secret; `wire` is what it speaks.

Standard library only: it is run as a user of its own, by any Python that this user can reach.
"""

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path

from evaluator.sandbox import wire
from evaluator.sandbox.bubblewrap import Bubblewrap
from evaluator.sandbox.docker import Docker
from evaluator.sandbox.sandbox import Limits, Program, Run, Sandbox, SandboxError

_ASK_SECONDS = 60.0
_STATE_SECONDS = 0.2
_LAST_SECONDS = 5.0
_MOST = Limits(memory_bytes=8 << 30, processes=1024, tmp_bytes=4 << 30, open_files=4096)


class Sandboxd:
    """``parallel`` programs run at once, ``waiting`` more wait, the next are refused. No run outlives ``seconds``."""

    def __init__(self, sandbox: Sandbox, *, parallel: int, waiting: int, seconds: float) -> None:
        self._sandbox = sandbox
        self._room = parallel + waiting
        self._running = asyncio.Semaphore(parallel)
        self._seconds = seconds
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, listening: socket.socket, until: asyncio.Event) -> None:
        """Raises ``SandboxError`` where the sandbox cannot be made."""
        async with self._sandbox:
            server = await asyncio.start_unix_server(self._connected, sock=listening)
            async with server:
                await until.wait()
                server.close()
                for task in self._serving:
                    task.cancel()
                await asyncio.gather(*self._serving, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        try:
            if len(self._serving) > self._room:
                full = f"sandboxd is full: {self._room} programs run or wait already"
                await _last_word(reader, writer, wire.REFUSED, full)
            else:
                await self._answer(reader, writer)
        except ConnectionError:
            pass  # the client left; its run is dead
        except (wire.WireError, TimeoutError) as error:
            await _last_word(reader, writer, wire.REFUSED, f"sandboxd does not understand: {error or 'too slow'}")
        except SandboxError as error:
            await _last_word(reader, writer, wire.BROKEN, str(error))
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_ASK_SECONDS):
            frame = await wire.receive(reader)
            if frame is None:
                return
            if frame[0] == wire.HELLO:
                names = ("name", "limits_by", "brings_tools")
                return await wire.send(writer, wire.READY, {name: getattr(self._sandbox, name) for name in names})
            if frame[0] != wire.RUN:
                raise wire.WireError(f"a first frame of kind {frame[0]!r}")
            program, limits = await wire.receive_program(reader, frame[1])
        if any(asked > most for asked, most in zip(asdict(limits).values(), asdict(_MOST).values(), strict=True)):
            raise wire.WireError(f"limits beyond {_MOST}")
        await self._until_left(reader, self._run(program, limits, writer))

    async def _until_left(self, reader: asyncio.StreamReader, running: Coroutine[None, None, None]) -> None:
        """Runs to the end, or until the client closes its side."""
        run = asyncio.ensure_future(running)
        left = asyncio.ensure_future(wire.receive(reader))
        try:
            await asyncio.wait((run, left), return_when=asyncio.FIRST_COMPLETED)
            if run.done():
                await run
        finally:
            for task in (run, left):
                task.cancel()
            await asyncio.gather(run, left, return_exceptions=True)

    async def _run(self, program: Program, limits: Limits, writer: asyncio.StreamWriter) -> None:
        async with self._running:
            try:
                async with asyncio.timeout(self._seconds), self._sandbox.start(program, limits) as run:
                    await wire.send(writer, wire.READY)
                    await _stream(run, writer)
            except TimeoutError:
                await wire.send(writer, wire.BROKEN, f"sandboxd ends a run after {self._seconds:.0f} s")


async def _last_word(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: bytes, text: str) -> None:
    """Says it, and hears the client out: closing with its words unread would take ours away from it."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LAST_SECONDS):
            await wire.send(writer, kind, text)
            writer.write_eof()
            while await reader.read(wire.CHUNK_BYTES):
                pass


async def _stream(run: Run, writer: asyncio.StreamWriter) -> None:
    """All that a run says, as fast as the client takes it."""
    watching = asyncio.create_task(_watch(run, writer))
    try:
        while chunk := await run.read():
            await wire.send(writer, wire.OUTPUT, chunk)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    await wire.send(writer, wire.OUTPUT_END, _state(run))
    status = await run.exit_status()
    await wire.send(writer, wire.ENDED, {**_state(run), "status": status})


async def _watch(run: Run, writer: asyncio.StreamWriter) -> None:
    said = _state(run)
    while True:
        await asyncio.sleep(_STATE_SECONDS)
        if (now := _state(run)) != said:
            said = now
            await wire.send(writer, wire.STATE, said)


def _state(run: Run) -> dict[str, object]:
    return {"stderr": run.stderr(), "out_of_memory": run.out_of_memory(), "cpu_seconds": run.cpu_seconds()}


def made(options: dict[str, object]) -> Sandbox:
    """A sandbox as ``{"kind": "bubblewrap" | "docker" | "gvisor", ...}`` says; the rest is the class's own options."""
    kind = options.pop("kind")
    if kind == "bubblewrap":
        packages = options.pop("packages", None)
        return Bubblewrap(packages=Path(str(packages)) if packages else None)
    return Docker(runtime="runsc" if kind == "gvisor" else None, **options)  # type: ignore[arg-type]


async def main(options: argparse.Namespace) -> None:
    until = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, until.set)
    daemon = Sandboxd(
        made(json.loads(options.sandbox)), parallel=options.parallel, waiting=options.waiting, seconds=options.seconds
    )
    with socket.socket(fileno=options.fd) as listening:
        await daemon.serve(listening, until)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Started by `weighbridge sandboxd`, which makes the socket.")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--sandbox", required=True)
    parser.add_argument("--parallel", type=int, required=True)
    parser.add_argument("--waiting", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    try:
        asyncio.run(main(parser.parse_args()))
    except SandboxError as error:
        sys.exit(f"sandboxd: {error}")
