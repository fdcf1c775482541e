"""The keeper of the store, in the parent process: drains spools, publishes evidence, answers the control API."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn

from gateway.admissions.exchange import AdmissionExchange
from gateway.config import Config
from gateway.control.control import create_control
from gateway.keys.exchange import Exchange
from gateway.keys.register import Register
from gateway.ledger.drain import Drain
from gateway.ledger.upkeep import Upkeep
from gateway.limiting.leases import Sweeper
from gateway.limiting.ledger_id import ledger_id
from gateway.limiting.orphans import Orphans
from gateway.limiting.seeder import Seeder
from gateway.live.exchange import LiveExchange
from gateway.live.publish import publish_live
from gateway.live.window import Window
from gateway.processes.published import Published
from gateway.processes.runtime import Runtime
from gateway.store.engine import Where
from gateway.store.store import Store
from gateway.store.trouble import StoreError
from gateway.valkey import Valkey

log = logging.getLogger("weighbridge.keeper")

Watch = Callable[[], Awaitable[None]]

_VALKEY_WAIT_S = 1.0
_AFTER_FAILURE_S = 1.0


class _InnerServer(uvicorn.Server):
    """Leaves the signals to the supervisor."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def keep(
    where: Where, runtime: Runtime, shared_valkey: str | None, in_force: Callable[[], Config]
) -> AsyncIterator[None]:
    """Drains, publishes and answers until it is left; then drains a last time. The workers are gone by then.

    ``where`` the store is; while it is away everything waits for it but serving. ``shared_valkey`` is the address where
    other replicas are met; ``in_force`` gives the configuration of the moment.
    """
    ledger = ledger_id(runtime.state)
    store = Store(where, ledger)
    live = Window()
    address = shared_valkey or f"unix://{runtime.valkey_socket}"
    valkey = Valkey(address, connect_s=_VALKEY_WAIT_S, reply_s=_VALKEY_WAIT_S)
    drain = Drain(runtime.spools, store, live.record, Orphans(valkey, store).settle)
    register = Register(store, runtime.keys_file, Exchange(valkey) if shared_valkey is not None else None)
    others = LiveExchange(valkey) if shared_valkey is not None else None
    told = asyncio.Event()
    published = Published(store, runtime, register, told.set)
    needing_the_store = [
        drain.watch,
        Seeder(valkey, store, drain, ledger).watch,
        Upkeep(store, in_force).watch,
        published.watch,
        *([AdmissionExchange(valkey, store, published.evidence, told).watch] if shared_valkey is not None else []),
    ]
    app = create_control(store, drain, published.evidence, register)
    server = _InnerServer(
        uvicorn.Config(app, uds=str(runtime.control_socket), log_config=None, access_log=False, lifespan="off")
    )
    await published.try_to_open()
    serving = asyncio.create_task(server.serve())
    background = [
        asyncio.create_task(publish_live(live, runtime.live_file, exchange=others)),
        asyncio.create_task(_for_ever(register.watch)),
        asyncio.create_task(_for_ever(Sweeper(valkey).watch)),
        asyncio.create_task(_once_open(published, needing_the_store)),
    ]
    try:
        yield
    finally:
        for task in background:
            task.cancel()
        server.should_exit = True
        await serving
        if published.is_open:
            await drain.attempt()
        await store.close()
        await valkey.close()


async def _once_open(published: Published, watches: Iterable[Watch]) -> None:
    await published.open()
    await asyncio.gather(*map(_for_ever, watches))


async def _for_ever(watch: Watch) -> None:
    """No trouble ends it: it begins anew a moment later."""
    while True:
        try:
            await watch()
        except (StoreError, OSError) as error:
            log.debug("the store or a disk has failed: %s", error)  # the drain says it where it lasts
        except Exception:
            log.exception("a task of the parent process failed")
        await asyncio.sleep(_AFTER_FAILURE_S)
