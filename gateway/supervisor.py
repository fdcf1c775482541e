"""The parent process: owns the listening socket, the embedded Valkey and the store's only writer; keeps workers up."""

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from gateway.config import Config
from gateway.embedded_valkey import EmbeddedValkey
from gateway.reload import Reloader
from gateway.runtime import Runtime

log = logging.getLogger("weighbridge.supervisor")

GRACE_S = 30
_RESTART_AFTER_S = 0.5


class StateInUse(OSError):
    """Another gateway runs on the same state folder."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


def listen(address: Address) -> socket.socket:
    """A bound, listening socket that workers inherit. Raises ``OSError``."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((address.host, address.port))
    listener.listen(2048)
    listener.setblocking(False)
    listener.set_inheritable(True)
    return listener


async def supervise(config: Config, listener: socket.socket, workers: int) -> None:
    """Serves until SIGTERM or SIGINT, then stops everything it started. Raises ``StateInUse``, ``OSError``."""
    stop, hangup = asyncio.Event(), asyncio.Event()
    for signum, event in ((signal.SIGTERM, stop), (signal.SIGINT, stop), (signal.SIGHUP, hangup)):
        asyncio.get_running_loop().add_signal_handler(signum, event.set)
    async with AsyncExitStack() as stack:
        stack.enter_context(_state_lock(config.state_dir))
        runtime = Runtime(stack.enter_context(_runtime_folder()), config.state_dir.resolve())
        runtime.metrics.mkdir()
        runtime.spools.mkdir(exist_ok=True)
        valkey = EmbeddedValkey(runtime.valkey_socket)
        stack.push_async_callback(valkey.stop)

        async def prepare(config: Config) -> None:
            if config.cache.enabled and config.cache.url is None:
                await valkey.start()

        await prepare(config)
        reloader = Reloader(config, runtime, listener.getsockname()[0], prepare)
        team = [asyncio.create_task(_keep_worker(config, runtime, listener, stop)) for _ in range(workers)]
        await asyncio.sleep(0)  # the workers begin to load before we do
        await stack.enter_async_context(_keeper(config, runtime))
        watching = asyncio.create_task(reloader.watch(hangup))
        await asyncio.wait({watching, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.gather(*team)
        if watching.done():
            watching.result()  # it never ends but by a fault of ours
        watching.cancel()


def _keeper(config: Config, runtime: Runtime) -> AbstractAsyncContextManager[None]:
    """The seam behind which SQLAlchemy is loaded: half a second that no request waits for."""
    from gateway.keeper import keep  # noqa: PLC0415

    return keep(config.state_dir / "weighbridge.sqlite3", runtime)


async def _keep_worker(config: Config, runtime: Runtime, listener: socket.socket, stop: asyncio.Event) -> None:
    """One worker, replaced when it dies, until ``stop``; then given ``GRACE_S`` to finish what it serves."""
    while not stop.is_set():
        process = await _start_worker(config, runtime, listener)
        ended = asyncio.create_task(process.wait())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not ended.done():
            process.terminate()
            try:
                await asyncio.wait_for(ended, GRACE_S + 5)
            except TimeoutError:
                process.kill()
                await process.wait()
        mark_process_dead(process.pid, str(runtime.metrics))  # type: ignore[no-untyped-call]
        if not stop.is_set():
            log.error("a worker died and is replaced", extra={"pid": process.pid, "code": process.returncode})
            await asyncio.sleep(_RESTART_AFTER_S)


async def _start_worker(config: Config, runtime: Runtime, listener: socket.socket) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "gateway.worker", "--config", str(config.path), "--runtime", str(runtime.folder)]
    command += ["--state", str(runtime.state), "--fd", str(listener.fileno())]
    command += ["--parent", str(os.getpid()), "--grace-s", str(GRACE_S)]
    return await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        pass_fds=[listener.fileno()],
        start_new_session=True,  # Ctrl-C is for the parent, which then stops its workers in order
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(runtime.metrics)},
    )


@contextmanager
def _state_lock(state_dir: Path) -> Iterator[None]:
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "serve.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateInUse(
                f"another gateway runs on {state_dir}; set WEIGHBRIDGE_STATE_DIR to another folder"
            ) from error
        yield


@contextmanager
def _runtime_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
