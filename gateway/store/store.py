"""Reading and writing the store. Every write is one transaction and may be repeated without harm."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import event, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.feedback import Feedback, Tally
from gateway.keys.key import VirtualKey
from gateway.ledger.events import Event, Opened, Settled
from gateway.store import admissions, charges, feedback, keys, spending
from gateway.store.migrate import upgrade
from gateway.store.schema import requests, scorecards
from gateway.store.spending import Charge, Spending
from policies.admission import Admission
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

ORPHANED = "orphaned"
"""The outcome of a request whose worker died before it settled."""


class Store:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    async def open(cls, path: Path) -> "Store":
        """Makes the file and brings its schema up to date."""
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        event.listen(engine.sync_engine, "connect", _configure)
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
        return cls(engine)

    async def close(self) -> None:
        await self._engine.dispose()

    async def record(self, spool: str, events: Iterable[Event]) -> None:
        """Ledger events of one spool, in order; those that are there already change nothing."""
        async with self._engine.begin() as connection:
            await connection.run_sync(_record, spool, list(events))

    async def settle_orphans(self, spool: str, at: float) -> int:
        """Ends the requests that a dead worker left open; says how many there were."""
        row = {"outcome": ORPHANED, "settled_at": at, "usage_source": "unknown", "cost_nanousd": 0, "status": 0}
        left = update(requests).where(requests.c.spool == spool, requests.c.outcome.is_(None)).values(row)
        async with self._engine.begin() as connection:
            return (await connection.execute(left)).rowcount

    async def request(self, request_id: str) -> dict[str, Any] | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(requests).where(requests.c.id == request_id))).mappings().first()
        return dict(row) if row else None

    async def requests_of(self, session: str, limit: int, tenant: str | None = None) -> list[dict[str, Any]]:
        """The session's last ``limit`` requests that are settled, the newest first; a tenant's only, where one is
        named.
        """
        of_session = select(requests).where(requests.c.session == session, requests.c.settled_at.is_not(None))
        if tenant is not None:
            of_session = of_session.where(requests.c.tenant == tenant)
        newest = of_session.order_by(requests.c.settled_at.desc(), requests.c.id.desc()).limit(limit)
        async with self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(newest)).mappings()]

    async def add_scorecards(self, cards: Sequence[Scorecard]) -> None:
        """A run's scorecard replaces the same run's earlier one."""
        async with self._engine.begin() as connection:
            await connection.run_sync(_add_scorecards, cards)

    async def add_admissions(self, rows: Sequence[Admission]) -> int:
        """How many of them change a state; others are not kept."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(admissions.add, rows)

    async def admissions(self, limit: int) -> tuple[Admission, ...]:
        """The audit, the newest first."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(admissions.history, limit)

    async def add_feedback(self, given: Feedback, at: float) -> None:
        """The last verdict on a request counts. ``at`` is Unix seconds."""
        async with self._engine.begin() as connection:
            await connection.run_sync(feedback.add, given, at)

    async def feedback_tallies(self, tenant: str | None = None) -> list[Tally]:
        """``tenant`` None: everybody's."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(feedback.tallies, tenant)

    async def spending(self, day: float, month: float) -> Sequence[Spending]:
        """Of virtual keys since then, in Unix seconds."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(spending.since, day, month)

    async def last_charges(self, spool: str) -> Sequence[Charge]:
        """Of virtual keys, among them all that its worker left open."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(spending.last_of, spool, ORPHANED)

    async def put_keys(self, changed: Sequence[VirtualKey]) -> None:
        async with self._engine.begin() as connection:
            await connection.run_sync(keys.put, changed)

    async def keys(self) -> list[VirtualKey]:
        async with self._engine.connect() as connection:
            return await connection.run_sync(keys.everything)

    async def evidence(self) -> Snapshot:
        async with self._engine.connect() as connection:
            return await connection.run_sync(evidence_in)


def evidence_in(connection: Connection) -> Snapshot:
    """All scorecards, and the admissions in force."""
    rows = connection.execute(select(scorecards).order_by(scorecards.c.version)).mappings().all()
    cards = tuple(msgspec.convert(row["scorecard"], Scorecard) for row in rows)
    return Snapshot(admissions.newest_version(connection), cards, admissions.in_force(connection))


def _configure(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _record(connection: Connection, spool: str, events: list[Event]) -> None:
    opened = [{"spool": spool, "opened_at": e.at, **_fields(e)} for e in events if isinstance(e, Opened)]
    ended = [e for e in events if isinstance(e, Settled)]
    charged = charges.put(connection, ended)
    settled = [{"spool": spool, "settled_at": e.at, "charged_nanousd": charged.get(e.id), **_fields(e)} for e in ended]
    if opened:
        connection.execute(insert(requests).on_conflict_do_nothing(), opened)
    if settled:
        statement = insert(requests)
        new = {name: statement.excluded[name] for name in settled[0]}
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=new), settled)


def _fields(entry: Opened | Settled) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    del fields["event"], fields["at"]
    return fields


def _add_scorecards(connection: Connection, cards: Sequence[Scorecard]) -> None:
    version = admissions.newest_version(connection) + 1
    for card in cards:
        key = {name: getattr(card, name) for name in ("run_id", "route", "revision", "suite", "language")}
        row = {**key, "version": version, "scorecard": msgspec.to_builtins(card)}
        statement = insert(scorecards).values(row)
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=row))
