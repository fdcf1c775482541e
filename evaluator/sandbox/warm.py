"""Warm starts: a run is forked from an interpreter that has loaded what every run of its kind needs.

The interpreter (``zygote.py``) lives in a bubblewrap sandbox of its own, as root there, and each run gets namespaces, a
/tmp, a user and a system call filter of its own before anything of it is read. It takes root, so that the zygote may
make them; without it every run starts cold.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from evaluator.sandbox import cgroup, cpu_time
from evaluator.sandbox.sandbox import Limits, SandboxError

_ZYGOTE = Path(__file__).with_name("zygote.py").read_text()
_CAPABILITIES = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_DAC_OVERRIDE")
_START_SECONDS = 30.0
_READ_BYTES = 1 << 18
_STDERR_BYTES = 4096
_CREDENTIALS = struct.Struct("iII")


class Zygote:
    """One warm interpreter. ``command`` is bubblewrap's without its program; ``source`` is what it loads."""

    def __init__(self, command: Sequence[str], source: str, filter_: bytes | None) -> None:
        self._command = command
        self._first = json.dumps({"source": source, "filter": (filter_ or b"").hex()}).encode()
        self._starting: asyncio.Task[Process] | None = None
        self._control: socket.socket | None = None
        self._lock = asyncio.Lock()

    async def start(self, limits: Limits, stdin: bytes, uid: int, slot: cgroup.Group) -> "WarmRun":
        """Raises ``SandboxError``, ``OSError``."""
        async with self._lock:
            if self._starting is None or _has_ended(self._starting):
                self._starting = asyncio.create_task(self._start())
        process = await asyncio.shield(self._starting)
        assert self._control is not None
        run = WarmRun(slot)
        job = {"files": limits.open_files, "tmp": limits.tmp_bytes, "uid": uid}
        try:
            run.send(self._control, json.dumps(job).encode(), stdin, slot.procs)
        except OSError as error:
            process.kill()
            raise SandboxError(f"the warm sandbox has ended: {error}") from error
        return run

    async def close(self) -> None:
        if self._starting is None:
            return
        with contextlib.suppress(SandboxError):
            process = await self._starting
            if process.returncode is None:
                process.kill()
            await process.wait()
        if self._control is not None:
            self._control.close()

    async def _start(self) -> Process:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        capabilities = [word for name in _CAPABILITIES for word in ("--cap-add", name)]
        python = ("python3", "-s", "-S", "-P", "-B", "-c", _ZYGOTE, str(theirs.fileno()))
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, *capabilities, "--", *python,
                env={}, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, pass_fds=(theirs.fileno(),), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise SandboxError(f"bubblewrap cannot be started: {error}") from error
        finally:
            theirs.close()
        assert process.stderr is not None
        try:
            async with asyncio.timeout(_START_SECONDS):
                await asyncio.get_running_loop().sock_sendall(ours, self._first)
                ready = await asyncio.get_running_loop().sock_recv(ours, 64)
        except (OSError, TimeoutError):
            ready = b""
        if ready != b"ready":
            ours.close()
            process.kill()
            said = (await process.stderr.read()).decode(errors="replace").strip()
            raise SandboxError(f"no warm sandbox can be made: {said or 'it died at once'}")
        self._control = ours
        return process


def _has_ended(starting: "asyncio.Task[Process]") -> bool:
    """It did not start, or runs no more: the next run tries anew."""
    if not starting.done():
        return False
    return starting.cancelled() or starting.exception() is not None or starting.result().returncode is not None


class WarmRun:
    """A run that was forked; see ``sandbox.Run``."""

    def __init__(self, slot: cgroup.Group) -> None:
        self._slot = slot
        self._kills_before = slot.kills()
        self._loop = asyncio.get_running_loop()
        self._pid: int | None = None
        self._pidfd: int | None = None
        self._exit: int | None = None
        self._stderr = bytearray()
        self._status, self._their_status = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._status.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._status.setblocking(False)
        self._pipes: list[asyncio.BaseTransport] = []
        self._starting: asyncio.Task[None] | None = None

    def send(self, control: socket.socket, job: bytes, stdin: bytes, groups: Sequence[str]) -> None:
        """Hands the run's ends to the zygote. Raises ``OSError``."""
        self._out, their_out = os.pipe()
        self._err, their_err = os.pipe()
        theirs = [memory_file("stdin", stdin), their_out, their_err]
        theirs += [os.open(group, os.O_WRONLY) for group in groups]
        try:
            socket.send_fds(control, [job], [*theirs[:3], self._their_status.fileno(), *theirs[3:]])
        finally:
            for descriptor in theirs:
                os.close(descriptor)
            self._their_status.close()

    async def started(self) -> None:
        """Raises ``SandboxError`` where the zygote could not make the sandbox. Whoever waits may leave: it goes on."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._begin())
        await asyncio.shield(self._starting)

    async def _begin(self) -> None:
        self._stdout = await self._reader(self._out)
        self._listening = asyncio.create_task(self._listen(await self._reader(self._err)))
        while self._pid is None:
            await self._readable()
            try:
                message, ancillary, _, _ = self._status.recvmsg(64, socket.CMSG_SPACE(_CREDENTIALS.size))
            except BlockingIOError:
                continue
            if message != b"up":
                await self._listening
                raise SandboxError(f"the warm sandbox failed: {self.stderr() or 'it ended at once'}")
            self._pid = next(_CREDENTIALS.unpack(data)[0] for _, _, data in ancillary)
            self._pidfd = os.pidfd_open(self._pid)
            self._status.send(b"!")

    async def read(self) -> bytes:
        return await self._stdout.read(_READ_BYTES)

    async def exit_status(self) -> int:
        if self._exit is None:
            said = await self._loop.sock_recv(self._status, 64)
            self._exit = int(said) if said else 128 + signal.SIGKILL
        return self._exit

    def stderr(self) -> str:
        return self._stderr.decode(errors="replace").strip()

    def out_of_memory(self) -> bool:
        return self._slot.kills() > self._kills_before

    def cpu_seconds(self) -> float | None:
        return cpu_time.of_descendants(self._pid) if self._pid is not None else None

    async def end(self) -> None:
        """Kills the run's first process, and with it all of its process namespace; returns when all are gone."""
        with contextlib.suppress(SandboxError):
            await self.started()
        if self._pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            await self.exit_status()
            os.close(self._pidfd)
        await self._listening
        for pipe in self._pipes:
            pipe.close()
        self._status.close()

    async def _readable(self) -> None:
        readable = self._loop.create_future()
        self._loop.add_reader(self._status, readable.set_result, None)
        try:
            await readable
        finally:
            self._loop.remove_reader(self._status)

    async def _reader(self, descriptor: int) -> asyncio.StreamReader:
        reader = asyncio.StreamReader(limit=_READ_BYTES)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb", 0))
        self._pipes.append(transport)
        return reader

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while chunk := await stderr.read(_STDERR_BYTES):
            self._stderr = (self._stderr + chunk)[-_STDERR_BYTES:]


def memory_file(name: str, content: bytes) -> int:
    """A descriptor to read ``content`` from."""
    fd = os.memfd_create(name)
    with open(os.dup(fd), "wb") as file:  # noqa: PTH123 (a descriptor)
        file.write(content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
