"""Reading and writing the store. Every write is one transaction and may be repeated without harm."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from gateway.feedback import Feedback, Tally
from gateway.keys.key import VirtualKey
from gateway.ledger.events import Event
from gateway.store import admissions, feedback, keys, ledger, marks, scorecards, spending
from gateway.store.engine import PATIENCE_S, Where, make_engine, readers
from gateway.store.migrate import upgrade
from gateway.store.spending import Charge, Spending
from policies.admission import Admission
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

T = TypeVar("T")


class Store:
    """Everything raises ``StoreError``. Several gateways may write to one that is in Postgres."""

    def __init__(self, where: Where, ledger: str | None = None, patience_s: float = PATIENCE_S) -> None:
        """``ledger`` is the id of the gateway's: its rows are known by that. Locks are waited for ``patience_s``."""
        self._where = where
        self._ledger = ledger
        self._engine = make_engine(where, patience_s)
        self._readers = readers(self._engine)
        self._under_way: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, where: Where, ledger: str | None = None) -> "Store":
        """One that is up to date."""
        store = cls(where, ledger)
        try:
            await store.migrate()
        except BaseException:
            await store.close()
            raise
        return store

    @property
    def may_be_shared(self) -> bool:
        """Whether another gateway may change what is in it."""
        return not isinstance(self._where, Path)

    async def migrate(self) -> None:
        """Makes it, or brings its schema up to date: once, however many gateways ask for it at a time."""
        if isinstance(self._where, Path):
            self._where.parent.mkdir(parents=True, exist_ok=True)
        await self.write(upgrade)

    async def close(self) -> None:
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._engine.dispose()

    async def read(self, question: Callable[[Connection], T]) -> T:
        """What ``question`` finds, in one transaction."""
        return await self._ended(self._read(question))

    async def write(self, change: Callable[[Connection], T]) -> T:
        """The same where something is changed, as a whole or not at all."""
        return await self._ended(self._write(change))

    async def record(self, spool: str, events: Iterable[Event], read_to: tuple[str, int] | None = None) -> None:
        """Ledger events of one spool, in order; those that are there already change nothing. ``read_to``: a segment of
        the spool, and up to where it is recorded with them.
        """
        change = partial(ledger.record, spool=spool, ledger=self._ledger, events=list(events), read_to=read_to)
        await self.write(change)

    async def settle_orphans(self, spool: str, at: float) -> int:
        """Ends the requests that a dead worker left open; says how many there were."""
        return await self.write(partial(ledger.settle_orphans, spool=spool, at=at))

    async def request(self, request_id: str) -> dict[str, Any] | None:
        return await self.read(partial(ledger.one, request_id=request_id))

    async def requests_of(self, session: str, limit: int, tenant: str | None = None) -> list[dict[str, Any]]:
        """The session's last ``limit`` requests that are settled, the newest first; a tenant's only, where one is
        named.
        """
        return await self.read(partial(ledger.of_session, session=session, limit=limit, tenant=tenant))

    async def add_scorecards(self, cards: Sequence[Scorecard]) -> None:
        """A run's scorecard replaces the same run's earlier one."""
        await self.write(partial(scorecards.add, cards=cards))

    async def add_admissions(self, rows: Sequence[Admission]) -> int:
        """How many of them change a state; others are not kept."""
        return await self.write(partial(admissions.add, rows=rows))

    async def admissions(self, limit: int) -> tuple[Admission, ...]:
        """The audit, the newest first."""
        return await self.read(partial(admissions.history, limit=limit))

    async def add_feedback(self, given: Feedback, at: float) -> None:
        """The last verdict on a request counts. ``at`` is Unix seconds."""
        await self.write(partial(feedback.add, given=given, at=at))

    async def feedback_tallies(self, tenant: str | None = None) -> list[Tally]:
        """``tenant`` None: everybody's."""
        return await self.read(partial(feedback.tallies, tenant=tenant))

    async def spending(self, day: float, month: float) -> Sequence[Spending]:
        """Of virtual keys since then, in Unix seconds."""
        return await self.read(partial(spending.since, day=day, month=month))

    async def last_charges(self, spool: str) -> Sequence[Charge]:
        """Of virtual keys, among them all that its worker left open."""
        return await self.read(partial(spending.last_of, spool=spool, orphaned=ledger.ORPHANED))

    async def put_keys(self, changed: Sequence[VirtualKey]) -> list[VirtualKey]:
        """As they are now: merged with what another gateway has made of them."""
        return await self.write(partial(keys.put, changed=changed))

    async def keys(self) -> list[VirtualKey]:
        return await self.read(keys.everything)

    async def marks(self) -> dict[str, int]:
        """What changes raise: another number than before, and ``evidence`` or ``keys`` are worth another look."""
        return await self.read(marks.everything)

    async def evidence(self) -> Snapshot:
        return await self.read(scorecards.evidence)

    async def _read(self, question: Callable[[Connection], T]) -> T:
        async with self._readers.connect() as connection:
            return await connection.run_sync(question)

    async def _write(self, change: Callable[[Connection], T]) -> T:
        async with self._engine.begin() as connection:
            return await connection.run_sync(change)

    async def _ended(self, transaction: Coroutine[Any, Any, T]) -> T:
        """What has begun is ended, also where nobody waits for it any more: half of it would leave the store locked."""
        task = asyncio.create_task(transaction)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)
