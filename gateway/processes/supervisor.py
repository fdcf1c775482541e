"""The parent process: owns the listening socket, the embedded Valkey and the store's only writer; keeps workers up."""

import asyncio
import fcntl
import logging
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from gateway.config import Config
from gateway.keys import keyring
from gateway.processes.embedded_valkey import EmbeddedValkey
from gateway.processes.reload import Reloader
from gateway.processes.runtime import Runtime
from gateway.processes.watch_keeper import WatchKeeper, running
from gateway.processes.watch_turn import WatchTurn
from gateway.processes.worker_process import Order, WorkerProcess
from gateway.routing import evidence
from gateway.valkey import Valkey
from policies.snapshot import Snapshot

log = logging.getLogger("weighbridge.supervisor")

_LONGER_S = 10.0
"""Than its grace a worker may take to end."""
_RESTART_AFTER_S = 0.5
_VALKEY_WAIT_S = 1.0


class StateInUse(OSError):
    """Another gateway runs on the same state folder."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int


def listen(address: Address) -> socket.socket:
    """A bound, listening socket for workers. Raises ``OSError``."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind((address.host, address.port))
    listener.listen(2048)
    listener.setblocking(False)
    return listener


async def supervise(config: Config, listener: socket.socket, workers: int, first: WorkerProcess) -> None:
    """Serves until SIGTERM or SIGINT, then stops everything it started, and ``first``, the worker that was started
    beforehand. Raises ``StateInUse``, ``OSError``.
    """
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
        watch = WatchKeeper(_own_url(listener), _watch_turn(config, stack))

        async def prepare(config: Config) -> None:
            if (config.cache.enabled or config.keys is not None) and config.cache.url is None:
                await valkey.start()
            watch.want(config)

        await prepare(config)
        database = config.state_dir / "weighbridge.sqlite3"
        if config.store_url is None and not database.exists():
            evidence.write(runtime.evidence_file, runtime.bounds_file, Snapshot())  # there is none: no worker need wait
            keyring.write(runtime.keys_file, ())
        reloader = Reloader(config, runtime, listener.getsockname()[0], prepare)
        order = Order(
            str(config.path), str(runtime.folder), str(runtime.state), config.server.grace_s, alone=workers == 1
        )
        hands = [first, *(WorkerProcess() for _ in range(workers - 1))]
        for hand in hands:
            hand.serve(order, listener)
        team = [asyncio.create_task(_keep_up(hand, order, listener, runtime, stop)) for hand in hands]
        await stack.enter_async_context(
            _keeper(config.store_url or database, runtime, config.cache.url, lambda: reloader.in_force)
        )
        watching = asyncio.create_task(reloader.watch(hangup))
        async with running(watch):
            await asyncio.wait({watching, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.gather(*team)
        if watching.done():
            watching.result()  # it never ends but by a fault of ours
        watching.cancel()


def _own_url(listener: socket.socket) -> str:
    """For a client on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _watch_turn(config: Config, stack: AsyncExitStack) -> WatchTurn | None:
    """None for a gateway that shares no Valkey."""
    if config.cache.url is None:
        return None
    valkey = Valkey(config.cache.url, connect_s=_VALKEY_WAIT_S, reply_s=_VALKEY_WAIT_S)
    stack.push_async_callback(valkey.close)
    return WatchTurn(valkey)


def _keeper(
    store: Path | str, runtime: Runtime, shared_valkey: str | None, in_force: Callable[[], Config]
) -> AbstractAsyncContextManager[None]:
    """The seam behind which SQLAlchemy is loaded: half a second that no request waits for."""
    from gateway.processes.keeper import keep  # noqa: PLC0415

    return keep(store, runtime, shared_valkey, in_force)


async def _keep_up(
    worker: WorkerProcess, order: Order, listener: socket.socket, runtime: Runtime, stop: asyncio.Event
) -> None:
    """``worker`` is replaced when it dies, until ``stop``; then it is given its grace to finish what it serves."""
    while not await _ended(worker, runtime, stop, order.grace_s):
        await asyncio.sleep(_RESTART_AFTER_S)
        worker = WorkerProcess()
        worker.serve(order, listener)


async def _ended(worker: WorkerProcess, runtime: Runtime, stop: asyncio.Event, grace_s: float) -> bool:
    """Whether it ended because it was told to."""
    ended = asyncio.create_task(worker.wait())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not ended.done():
        worker.terminate()
        await asyncio.wait({ended}, timeout=grace_s + _LONGER_S)
    if not ended.done():
        worker.kill()
    code = await ended
    mark_process_dead(worker.pid, str(runtime.metrics))  # type: ignore[no-untyped-call]
    if not stop.is_set():
        log.error("a worker died and is replaced", extra={"pid": worker.pid, "code": code})
    return stop.is_set()


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
