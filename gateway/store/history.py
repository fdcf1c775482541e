"""The store as another process reads it, beside a gateway that writes. Nothing is changed, nor brought up to date."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.ledger.events import SHADOW
from gateway.store.schema import requests
from gateway.store.store import Store
from policies.snapshot import Snapshot


class UnreadableStore(Exception):
    """There is none, or not in the form of this version; the message says so."""


class History:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator[Self]:
        """``path`` is absolute. Raises UnreadableStore, also from the body."""
        engine = create_async_engine(f"sqlite+aiosqlite:///file:{quote(str(path))}?mode=ro&uri=true")
        try:
            yield cls(engine)
        except OperationalError as error:
            raise UnreadableStore(
                f"{path} cannot be read ({error.orig}): a gateway makes it, and brings an older one up to date"
            ) from error
        finally:
            await engine.dispose()

    async def evidence(self) -> Snapshot:
        return await Store(self._engine).evidence()

    async def settled(self, since: float, until: float) -> AsyncIterator[dict[str, Any]]:
        """Clients' requests that ended from ``since`` on and before ``until``, in Unix seconds; oldest first."""
        within = (requests.c.settled_at >= since, requests.c.settled_at < until, requests.c.outcome.is_not(None))
        clients = ~requests.c.policy.startswith(SHADOW)
        wanted = select(requests).where(*within, clients).order_by(requests.c.settled_at, requests.c.id)
        async with self._engine.connect() as connection:
            async for row in (await connection.stream(wanted)).mappings():
                yield dict(row)
