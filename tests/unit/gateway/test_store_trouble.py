"""The store away, locked, full or broken off: the ledger waits in the spools, and is in the store once afterwards."""

import asyncio
import logging
import os
import resource
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, make_url, select, text

from gateway.keys.key import VirtualKey
from gateway.keys.register import Register
from gateway.ledger.drain import Drain
from gateway.ledger.events import AttemptDetail, Event, Opened, Settled
from gateway.ledger.spool import Spool, SpoolFull
from gateway.store.engine import Where
from gateway.store.schema import requests
from gateway.store.store import Store
from gateway.store.trouble import StoreUnavailable
from tests.fixtures.postgres import Postgres
from tests.fixtures.waiting import LONG_S

KEY = VirtualKey(id="key_1", hash="h", owner="alice", created_at=1.0, changed_at=1.0)


def opened(request_id: str) -> Opened:
    return Opened(request_id, 1.0, "t", "auto", "auto", "chat")


def settled(request_id: str, asked: str = "auto") -> Settled:
    attempts = [AttemptDetail("small", "http://x", "r", "ok", 1.0)]
    return Settled(
        request_id, 2.0, "t", asked, "auto", "chat", "small", "r", "ok", 200, "miss", False, 1, 2, 0, "provider", 3,
        1.0, 2.0, attempts,
    )  # fmt: skip


def fill(spool: Spool, names: Iterable[str]) -> None:
    for name in names:
        spool.append(opened(name))
        spool.append(settled(name))


async def totals(store: Store) -> tuple[int, int]:
    """Requests that ended well, and what they cost."""
    sums = select(func.count(), func.sum(requests.c.cost_nanousd)).where(requests.c.outcome == "ok")
    count, cost = await store.read(lambda connection: connection.execute(sums).one())
    return count, int(cost)


async def drained(drain: Drain) -> None:
    async with asyncio.timeout(LONG_S):
        while True:
            if await drain.attempt():
                return
            await asyncio.sleep(0.1)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spools", "one")
    yield spool
    spool.close()


@contextmanager
def locked(where: Where) -> Iterator[None]:
    """By another process: nobody can write."""
    if isinstance(where, Path):
        engine, lock = create_engine(f"sqlite:///{where}"), "BEGIN EXCLUSIVE"
    else:
        engine = create_engine(make_url(where).set(drivername="postgresql+psycopg"))
        lock = "LOCK TABLE requests IN ACCESS EXCLUSIVE MODE"
    with engine.connect() as connection:
        connection.execute(text(lock))
        yield
        connection.rollback()
    engine.dispose()


async def test_a_store_that_is_locked_gets_it_all_when_it_is_free(
    store: Store, where: Where, spool: Spool, tmp_path: Path
) -> None:
    hasty = Store(where, patience_s=0.2)
    drain = Drain(tmp_path / "spools", hasty)
    fill(spool, "abc")
    with locked(where):
        assert not await drain.attempt()
        with pytest.raises(StoreUnavailable):
            await drain.once()
    assert await drain.attempt()
    assert await totals(store) == (3, 9)
    await hasty.close()


async def test_a_full_database_gets_it_all_when_there_is_room(store: Store, spool: Spool, tmp_path: Path) -> None:
    async def room_for(pages: int) -> None:
        await store.write(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar())

    if store.may_be_shared:
        pytest.skip("Postgres has no such limit; its disk's is an error like any other")
    drain = Drain(tmp_path / "spools", store)
    await room_for(1)  # as many as it has
    fill(spool, map(str, range(500)))
    assert not await drain.attempt()
    fill(spool, map(str, range(500, 600)))
    assert not await drain.attempt()
    await room_for(2**30)
    assert await drain.attempt()
    assert await totals(store) == (600, 1800)


async def test_a_postgres_that_is_killed_in_the_middle_loses_and_doubles_nothing(
    mortal_postgres: Postgres, spool: Spool, tmp_path: Path
) -> None:
    mortal_postgres.execute("CREATE DATABASE killed")
    store = await Store.open(mortal_postgres.url("killed"))
    drain = Drain(tmp_path / "spools", store)
    for round_ in range(3):
        fill(spool, (f"{round_}-{n}" for n in range(800)))
        draining = asyncio.create_task(drain.attempt())
        await asyncio.sleep(0.05 * round_)  # somewhere in it
        mortal_postgres.stop(signal.SIGKILL)
        await draining
        fill(spool, [f"{round_}-late"])
        assert not await drain.attempt()
        await asyncio.to_thread(mortal_postgres.start)
        await drained(drain)
        assert await totals(store) == (801 * (round_ + 1), 2403 * (round_ + 1))
    await store.close()


async def test_a_session_that_is_killed_is_replaced(mortal_postgres: Postgres, spool: Spool, tmp_path: Path) -> None:
    """Postgres ends all sessions then, and recovers."""
    mortal_postgres.execute("CREATE DATABASE session")
    store = await Store.open(mortal_postgres.url("session"))
    drain = Drain(tmp_path / "spools", store)
    fill(spool, map(str, range(800)))
    draining = asyncio.create_task(drain.attempt())
    sessions = "SELECT pid FROM pg_stat_activity WHERE application_name = 'weighbridge'"
    for (pid,) in await asyncio.to_thread(mortal_postgres.execute, sessions):
        os.kill(pid, signal.SIGKILL)
    await draining
    await drained(drain)
    assert await totals(store) == (800, 2400)
    await store.close()


async def test_what_lasts_is_said_once_and_its_end_too(
    store: Store, where: Where, spool: Spool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hasty = Store(where, patience_s=0.01)
    drain = Drain(tmp_path / "spools", hasty)
    fill(spool, "a")
    with caplog.at_level(logging.INFO, "weighbridge.ledger"), locked(where):
        for _ in range(4):
            assert not await drain.attempt()
    with caplog.at_level(logging.INFO, "weighbridge.ledger"):
        assert await drain.attempt()
        assert await drain.attempt()
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    waits = "the ledger waits in the spools: the store does not take it"
    assert said == [("ERROR", waits), ("INFO", f"over: {waits}")]
    await hasty.close()


async def test_a_long_backlog_is_drained_in_pieces(store: Store, spool: Spool, tmp_path: Path) -> None:
    pieces: list[int] = []

    def recorded(events: Iterable[Event]) -> None:
        pieces.append(len(list(events)))

    fill(spool, map(str, range(2000)))
    size = (tmp_path / "spools" / "one" / "000001.jsonl").stat().st_size
    await Drain(tmp_path / "spools", store, recorded).once()
    assert sum(pieces) == 4000
    assert max(pieces) * size / 4000 < 1.5 * 2**20
    assert await totals(store) == (2000, 6000)


async def test_an_event_that_the_store_refuses_holds_up_no_other(store: Store, spool: Spool, tmp_path: Path) -> None:
    refuse = "ALTER TABLE requests ADD CHECK (asked <> 'poison')"
    if not store.may_be_shared:
        refuse = """CREATE TRIGGER refuse BEFORE INSERT ON requests WHEN NEW.asked = 'poison'
                    BEGIN SELECT RAISE(ABORT, 'refused'); END"""
    await store.write(lambda connection: connection.execute(text(refuse)))
    for event in (settled("a"), settled("b", asked="poison"), settled("c")):
        spool.append(event)
    drain = Drain(tmp_path / "spools", store)
    assert await drain.attempt()
    assert await totals(store) == (2, 6)


async def test_a_spool_that_was_being_cleared_away_is(store: Store, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spools", "gone")
    fill(spool, "a")
    spool.close()
    (tmp_path / "spools" / "gone" / "lock").unlink()  # and there its parent was killed
    assert await Drain(tmp_path / "spools", store).attempt()
    assert await totals(store) == (1, 3)
    assert not (tmp_path / "spools" / "gone").exists()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """As on a disk with so much room: a write is cut off there, and the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_what_has_happened_while_the_disk_was_full_is_recorded_later(
    store: Store, spool: Spool, tmp_path: Path
) -> None:
    segment = tmp_path / "spools" / "one" / "000001.jsonl"
    drain = Drain(tmp_path / "spools", store)
    spool.append(opened("a"))
    with largest_file(segment.stat().st_size + 20):
        with pytest.raises(SpoolFull):
            spool.append(opened("never sent"))  # half a line of it
        spool.append(settled("a"), owed=True)
        with pytest.raises(SpoolFull):
            spool.append(opened("never sent either"))
    await drain.once()
    assert (await store.request("a") or {})["outcome"] is None
    spool.append(opened("b"))
    await drain.once()
    assert (await store.request("a") or {})["outcome"] == "ok"
    assert (await store.request("b") or {})["outcome"] is None
    assert await store.request("never sent") is None


async def test_keys_change_while_the_store_is_away(mortal_postgres: Postgres, tmp_path: Path) -> None:
    mortal_postgres.execute("CREATE DATABASE keys")
    store = await Store.open(mortal_postgres.url("keys"))
    file = tmp_path / "keys.json"
    register = Register(store, file, None)
    await register.open()
    await register.put([KEY])
    mortal_postgres.stop()
    revoked = await register.revoke("key_1")
    assert revoked is not None
    (again,) = Register(store, file, None).keys  # a gateway that begins now, without the store
    assert again.revoked_at == revoked.revoked_at
    mortal_postgres.start()
    await Register(store, file, None).open()
    assert [key.revoked_at for key in await store.keys()] == [revoked.revoked_at]
    await store.close()
