"""A worker as its parent sees it. It loads its modules at once, and is told what to serve when that is known."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Self

_MAX_ORDER_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """``config`` is the user's file, for messages and relative paths; ``runtime`` and ``state`` are folders."""

    config: str
    runtime: str
    state: str
    grace_s: float
    alone: bool = False
    """There is no other worker."""


class WorkerProcess:
    """Light to import: the first worker is started before its parent has loaded anything else.

    As a context manager it kills, at the end, a worker that still runs.
    """

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
        command = [
            sys.executable,
            "-m",
            "gateway.processes.worker",
            f"--orders={theirs.fileno()}",
            f"--parent={os.getpid()}",
        ]
        with theirs:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is for the parent, which then stops its workers in order
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def serve(self, order: Order, listener: socket.socket) -> None:
        """Once. A worker that is dead already is not told: ``wait`` tells of it."""
        with self._orders as orders, suppress(BrokenPipeError):
            socket.send_fds(orders, [json.dumps(asdict(order)).encode()], [listener.fileno()])

    async def wait(self) -> int:
        """The exit code, once there is one."""
        ended = asyncio.Event()
        process = os.pidfd_open(self.pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(process, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(process)
            os.close(process)
        return self._process.wait()

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.close()
        self._process.kill()
        self._process.wait()


def receive_order(fd: int) -> tuple[Order, socket.socket] | None:
    """The worker's half: waits for what to serve, and on which socket. None when the parent has gone, or gave up."""
    with socket.socket(fileno=fd) as orders:
        message, listeners, _, _ = socket.recv_fds(orders, _MAX_ORDER_BYTES, 1)
    return (Order(**json.loads(message)), socket.socket(fileno=listeners[0])) if message else None
