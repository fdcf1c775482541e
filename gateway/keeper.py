"""The keeper of the store, in the parent process: drains spools, publishes evidence, answers the control API."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn

from gateway import evidence
from gateway.control import create_control
from gateway.ledger.drain import Drain
from gateway.runtime import Runtime
from gateway.store.store import Store
from policies.snapshot import Snapshot


class _InnerServer(uvicorn.Server):
    """Leaves the signals to the supervisor."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def keep(database: Path, runtime: Runtime) -> AsyncIterator[None]:
    """Drains, publishes and answers until it is left; then drains a last time. The workers are gone by then."""
    store = await Store.open(database)
    drain = Drain(runtime.spools, store)

    async def publish() -> Snapshot:
        snapshot = await store.evidence()
        evidence.write(runtime.evidence_file, snapshot)
        return snapshot

    await publish()
    app = create_control(store, drain, publish)
    server = _InnerServer(
        uvicorn.Config(app, uds=str(runtime.control_socket), log_config=None, access_log=False, lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    draining = asyncio.create_task(drain.watch())
    try:
        yield
    finally:
        draining.cancel()
        server.should_exit = True
        await serving
        await drain.once()
        await store.close()
