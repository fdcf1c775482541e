"""Reading and writing the store. Every write is one transaction and may be repeated without harm."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from gateway.feedback import Feedback, Tally
from gateway.keys.key import VirtualKey
from gateway.ledger.events import Event, Opened, Settled
from gateway.store import admissions, charges, feedback, keys, marks, positions, spending
from gateway.store.dialect import insert
from gateway.store.engine import Where, make_engine, readers
from gateway.store.fitting import checked, clipper
from gateway.store.migrate import upgrade
from gateway.store.schema import requests, scorecards
from gateway.store.spending import Charge, Spending
from policies.admission import Admission
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

T = TypeVar("T")

ORPHANED = "orphaned"
"""The outcome of a request whose worker died before it settled."""


_clipped = clipper(requests)


class Store:
    """Everything raises ``StoreError``. Several gateways may write to one that is in Postgres."""

    def __init__(self, where: Where, ledger: str | None = None) -> None:
        """``ledger`` is the id of the gateway's: its rows are known by that."""
        self._where = where
        self._ledger = ledger
        self._engine = make_engine(where)
        self._readers = readers(self._engine)

    @classmethod
    async def open(cls, where: Where, ledger: str | None = None) -> "Store":
        """One that is up to date."""
        store = cls(where, ledger)
        await store.migrate()
        return store

    @property
    def may_be_shared(self) -> bool:
        """Whether another gateway may change what is in it."""
        return not isinstance(self._where, Path)

    async def migrate(self) -> None:
        """Makes it, or brings its schema up to date: once, however many gateways ask for it at a time."""
        if isinstance(self._where, Path):
            self._where.parent.mkdir(parents=True, exist_ok=True)
        async with self._engine.begin() as connection:
            await connection.run_sync(upgrade)

    async def close(self) -> None:
        await self._engine.dispose()

    async def read(self, question: Callable[[Connection], T]) -> T:
        """What ``question`` finds, in one transaction."""
        async with self._readers.connect() as connection:
            return await connection.run_sync(question)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """The same where something is changed, as a whole or not at all."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(change)

    async def record(self, spool: str, events: Iterable[Event], read_to: tuple[str, int] | None = None) -> None:
        """Ledger events of one spool, in order; those that are there already change nothing. ``read_to``: a segment of
        the spool, and up to where it is recorded with them.
        """
        async with self._engine.begin() as connection:
            await connection.run_sync(_record, spool, self._ledger, list(events))
            if read_to is not None:
                await connection.run_sync(positions.put, spool, *read_to)

    async def settle_orphans(self, spool: str, at: float) -> int:
        """Ends the requests that a dead worker left open; says how many there were."""
        row = {"outcome": ORPHANED, "settled_at": at, "usage_source": "unknown", "cost_nanousd": 0, "status": 0}
        left = update(requests).where(requests.c.spool == spool, requests.c.outcome.is_(None)).values(row)
        async with self._engine.begin() as connection:
            return (await connection.execute(left)).rowcount

    async def request(self, request_id: str) -> dict[str, Any] | None:
        async with self._readers.connect() as connection:
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
        async with self._readers.connect() as connection:
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
        async with self._readers.connect() as connection:
            return await connection.run_sync(admissions.history, limit)

    async def add_feedback(self, given: Feedback, at: float) -> None:
        """The last verdict on a request counts. ``at`` is Unix seconds."""
        async with self._engine.begin() as connection:
            await connection.run_sync(feedback.add, given, at)

    async def feedback_tallies(self, tenant: str | None = None) -> list[Tally]:
        """``tenant`` None: everybody's."""
        async with self._readers.connect() as connection:
            return await connection.run_sync(feedback.tallies, tenant)

    async def spending(self, day: float, month: float) -> Sequence[Spending]:
        """Of virtual keys since then, in Unix seconds."""
        async with self._readers.connect() as connection:
            return await connection.run_sync(spending.since, day, month)

    async def last_charges(self, spool: str) -> Sequence[Charge]:
        """Of virtual keys, among them all that its worker left open."""
        async with self._readers.connect() as connection:
            return await connection.run_sync(spending.last_of, spool, ORPHANED)

    async def put_keys(self, changed: Sequence[VirtualKey]) -> list[VirtualKey]:
        """As they are now: merged with what another gateway has made of them."""
        async with self._engine.begin() as connection:
            return await connection.run_sync(keys.put, changed)

    async def keys(self) -> list[VirtualKey]:
        async with self._readers.connect() as connection:
            return await connection.run_sync(keys.everything)

    async def marks(self) -> dict[str, int]:
        """What changes raise: another number than before, and ``evidence`` or ``keys`` are worth another look."""
        async with self._readers.connect() as connection:
            return await connection.run_sync(marks.everything)

    async def evidence(self) -> Snapshot:
        async with self._readers.connect() as connection:
            return await connection.run_sync(evidence_in)


def evidence_in(connection: Connection) -> Snapshot:
    """All scorecards, and the admissions in force."""
    rows = connection.execute(select(scorecards).order_by(scorecards.c.version)).mappings().all()
    cards = tuple(msgspec.convert(row["scorecard"], Scorecard) for row in rows)
    return Snapshot(admissions.newest_version(connection), cards, admissions.in_force(connection))


def _record(connection: Connection, spool: str, ledger: str | None, events: list[Event]) -> None:
    whose = {"spool": spool, "ledger": ledger}
    opened = [{**whose, "opened_at": e.at, **_fields(e)} for e in events if isinstance(e, Opened)]
    ended = [e for e in events if isinstance(e, Settled)]
    charged = charges.put(connection, ended)
    settled = [{**whose, "settled_at": e.at, "charged_nanousd": charged.get(e.id), **_fields(e)} for e in ended]
    if opened:
        connection.execute(insert(connection, requests).on_conflict_do_nothing(), opened)
    if settled:
        statement = insert(connection, requests)
        new = {name: statement.excluded[name] for name in settled[0]}
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=new), settled)


def _fields(entry: Opened | Settled) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    del fields["event"], fields["at"]
    return _clipped(fields)


def _add_scorecards(connection: Connection, cards: Sequence[Scorecard]) -> None:
    version = marks.lock(connection, "evidence") + 1
    for card in cards:
        key = {name: getattr(card, name) for name in ("run_id", "route", "revision", "suite", "language")}
        row = checked(scorecards, {**key, "version": version, "scorecard": msgspec.to_builtins(card)})
        statement = insert(connection, scorecards).values(row)
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=row))
    if cards:
        marks.set_to(connection, "evidence", version)
