"""The gateways' ledgers, read past the gateways: one Postgres for both, or an SQLite file each."""

import asyncio
import json
import signal
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg.rows import dict_row

from tests.fixtures.postgres import Postgres

Row = dict[str, Any]


class Store(Protocol):
    @property
    def config(self) -> dict[str, Any]:
        """What it adds to a gateway's configuration."""

    async def start(self) -> None: ...

    def die(self) -> None:
        """Killed, or as near to it as it comes; ``start`` brings it back."""

    def rows(self, states: Sequence[Path]) -> list[Row]:
        """All requests, ``attempts`` decoded. ``states``: the gateways' state folders."""

    def stop(self) -> None: ...


class Files:
    """SQLite: a file in each gateway's state folder. To die it is locked by somebody else for a while."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: list[sqlite3.Connection] = []

    @property
    def config(self) -> dict[str, Any]:
        return {}

    async def start(self) -> None:
        self.stop()

    def die(self) -> None:
        for path in self._folder.glob("gateway-*/state/weighbridge.sqlite3"):
            lock = sqlite3.connect(path, isolation_level=None, timeout=20, check_same_thread=False)
            lock.execute("BEGIN EXCLUSIVE")
            self._locks.append(lock)

    def rows(self, states: Sequence[Path]) -> list[Row]:
        return [row for state in states for row in _sqlite_rows(state / "weighbridge.sqlite3")]

    def stop(self) -> None:
        for lock in self._locks:
            lock.execute("ROLLBACK")
            lock.close()
        self._locks.clear()


def _sqlite_rows(path: Path) -> Iterable[Row]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute("select * from requests"):
            yield {**dict(row), "attempts": json.loads(row["attempts"] or "[]")}


class Database:
    """One Postgres for both gateways."""

    def __init__(self) -> None:
        self._server = Postgres()

    @property
    def config(self) -> dict[str, Any]:
        return {"store": {"url": self._server.url()}}

    async def start(self) -> None:
        await asyncio.to_thread(self._server.start)

    def die(self) -> None:
        self._server.stop(signal.SIGKILL)

    def rows(self, states: Sequence[Path]) -> list[Row]:
        with psycopg.connect(self._server.url(), row_factory=dict_row) as connection:
            return [{**row, "attempts": row["attempts"] or []} for row in connection.execute("select * from requests")]

    def stop(self) -> None:
        self._server.close()
