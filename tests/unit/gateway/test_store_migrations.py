"""From every released revision to the newest, with rows in it, on both databases; also when gateways begin at once."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, MetaData, create_engine, make_url, text
from sqlalchemy.engine import Connection

from gateway.keys.key import VirtualKey
from gateway.ledger.events import AttemptDetail
from gateway.store.engine import Where
from gateway.store.migrate import MIGRATIONS
from gateway.store.schema import metadata
from gateway.store.store import Store
from gateway.store.trouble import StoreUnavailable
from policies.admission import Admission
from policies.scorecard import Scorecard
from tests.fixtures.waiting import LONG_S

CARD = Scorecard("run", "small", "r", "s+", "c0", "go", "2026-11-19T00:00:00+00:00", 164, 1, 164, 164, 0, 0, 0.9)
VERDICT = Admission(
    "small", "r", "s+", None, 0.8, 0.95, None, "admitted", "2026-11-19T00:00:00+00:00", "why", "w", 0.8, 0.9, 9
)
KEY = VirtualKey(id="key_1", hash="h", owner="alice", created_at=1.0, changed_at=1.0)
ROWS: dict[str, dict[str, Any]] = {
    "requests": {
        "id": "a", "spool": "one", "opened_at": 1.0, "settled_at": 2.0, "tenant": "t", "asked": "auto",
        "policy": "auto", "wire": "chat", "route": "small", "revision": "r", "outcome": "ok", "status": 200,
        "cache": "miss", "streamed": True, "input_tokens": 1, "output_tokens": 2, "cached_input_tokens": 0,
        "usage_source": "provider", "cost_nanousd": 2**40, "ttft_ms": 1.5, "total_ms": 2.5,
        "attempts": [msgspec.to_builtins(AttemptDetail("small", "http://x", "r", "ok", 1.0))],
        "cache_write_tokens": 0, "cache_write_1h_tokens": 0, "session": "s", "language": "go",
        "key_id": "key_1", "team": "team", "customer": None,
    },
    "scorecards": {
        "run_id": "run", "route": "small", "revision": "r", "suite": "s+", "language": "go", "version": 7,
        "scorecard": msgspec.to_builtins(CARD),
    },
    "feedback": {"request_id": "a", "at": 3.0, "verdict": "accepted", "language": None},
    "admissions": {
        "id": 1, "version": 9, "route": "small", "revision": "r", "suite": "s+", "language": None, "at_least": 0.8,
        "admission": msgspec.to_builtins(VERDICT),
    },
    "keys": {"id": "key_1", "key": msgspec.to_builtins(KEY)},
}  # fmt: skip
"""As a version wrote them that had these columns."""


def config(connection: Connection) -> Config:
    found = Config()
    found.set_main_option("script_location", str(MIGRATIONS))
    found.attributes["connection"] = connection
    return found


REVISIONS = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


@pytest.fixture
def engine(where: Where) -> Iterator[Engine]:
    url = f"sqlite:///{where}" if isinstance(where, Path) else make_url(where).set(drivername="postgresql+psycopg")
    engine = create_engine(url)
    yield engine
    engine.dispose()


def leave_as(revision: str, engine: Engine) -> set[str]:
    """A store of that revision, with a row in each table that it had; their names."""
    with engine.begin() as connection:
        command.upgrade(config(connection), revision)
        tables = MetaData()
        tables.reflect(connection)
        for name in tables.tables.keys() & ROWS.keys():
            known = tables.tables[name]
            connection.execute(known.insert(), {key: ROWS[name][key] for key in known.c.keys() & ROWS[name].keys()})
        if "marks" in tables.tables:  # whoever wrote the rows raised it
            connection.execute(text("UPDATE marks SET number = 9 WHERE name = 'evidence'"))
    return set(tables.tables)


async def test_the_migrations_lead_to_the_schema(store: Store, engine: Engine) -> None:
    await store.migrate()
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.parametrize("revision", REVISIONS)
async def test_rows_of_every_released_revision_are_read(revision: str, where: Where, engine: Engine) -> None:
    tables = leave_as(revision, engine)
    store = await Store.open(where, "ledger")
    row = await store.request("a")
    assert row is not None
    assert (row["cost_nanousd"], row["streamed"], row["attempts"][0]["route"]) == (2**40, True, "small")
    evidence = await store.evidence()
    assert evidence.scorecards == (CARD,)
    assert evidence.watched == ((VERDICT,) if "admissions" in tables else ())
    assert await store.keys() == ([KEY] if "keys" in tables else [])
    assert sum(each.count for each in await store.feedback_tallies()) == ("feedback" in tables)
    before = evidence.version
    await store.add_scorecards([CARD])
    assert (await store.evidence()).version == before + 1 >= 8
    (spent,) = await store.spending(0.0, 0.0) if "keys" in tables else [None]
    assert spent is None or (spent.ledger, spent.month) == (None, 2**40)
    await store.close()


async def test_two_gateways_that_begin_at_once_migrate_once(where: Where, engine: Engine) -> None:
    leave_as(REVISIONS[0], engine)
    stores = [Store(where, patience_s=LONG_S) for _ in range(4)]
    await asyncio.gather(*(store.migrate() for store in stores))
    assert {(await store.request("a") or {})["id"] for store in stores} == {"a"}
    for store in stores:
        await store.close()


async def test_a_store_of_a_newer_version_is_left_alone(where: Where, engine: Engine) -> None:
    await (await Store.open(where)).close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailable, match="newer version"):
        await Store.open(where)


async def test_half_a_migration_is_none(tmp_path: Path) -> None:
    """SQLite's driver would put changes of the schema into no transaction by itself."""
    path = tmp_path / "db"
    store = Store(path)

    def half(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (id INTEGER)"))
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        await store.write(half)
    await store.close()
    assert sqlite3.connect(path).execute("SELECT name FROM sqlite_master").fetchall() == []
