"""The keeper of the store, in the parent process: drains spools, publishes evidence, answers the control API."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

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
from gateway.live.publish import publish_live
from gateway.live.window import Window
from gateway.processes.runtime import Runtime
from gateway.routing import evidence
from gateway.store.store import Store
from gateway.valkey import Valkey
from policies.snapshot import Snapshot

_VALKEY_WAIT_S = 1.0


class _InnerServer(uvicorn.Server):
    """Leaves the signals to the supervisor."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def keep(
    database: Path, runtime: Runtime, shared_valkey: str | None, in_force: Callable[[], Config]
) -> AsyncIterator[None]:
    """Drains, publishes and answers until it is left; then drains a last time. The workers are gone by then.

    ``shared_valkey`` is the address where other replicas are met; ``in_force`` gives the configuration of the moment.
    """
    store = await Store.open(database)
    live = Window()
    address = shared_valkey or f"unix://{runtime.valkey_socket}"
    valkey = Valkey(address, connect_s=_VALKEY_WAIT_S, reply_s=_VALKEY_WAIT_S)
    drain = Drain(runtime.spools, store, live.record, Orphans(valkey, store).settle)

    async def publish() -> Snapshot:
        snapshot = await store.evidence()
        evidence.write(runtime.evidence_file, snapshot)
        if exchange is not None:
            exchange.changed()
        return snapshot

    exchange = AdmissionExchange(valkey, store, publish) if shared_valkey is not None else None
    await publish()
    seeder = Seeder(valkey, store, drain, ledger_id(runtime.state))
    register = Register(store, runtime.keys_file, Exchange(valkey) if shared_valkey is not None else None)
    await register.open()
    app = create_control(store, drain, publish, register)
    server = _InnerServer(
        uvicorn.Config(app, uds=str(runtime.control_socket), log_config=None, access_log=False, lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    telling = asyncio.create_task(publish_live(live, runtime.live_file))
    background = [
        asyncio.create_task(drain.watch()),
        asyncio.create_task(register.watch()),
        asyncio.create_task(seeder.watch()),
        asyncio.create_task(Upkeep(store, in_force).watch()),
        asyncio.create_task(Sweeper(valkey).watch()),
        *([asyncio.create_task(exchange.watch())] if exchange is not None else []),
    ]
    try:
        yield
    finally:
        for task in background:
            task.cancel()
        telling.cancel()
        server.should_exit = True
        await serving
        await drain.once()
        await store.close()
        await valkey.close()
