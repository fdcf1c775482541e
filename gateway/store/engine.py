"""How a store is reached: a SQLite file, or Postgres. Everything that can be said of either once is said here."""

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.store.dialect import is_postgres
from gateway.store.trouble import StoreRefused, StoreUnavailable

Where = Path | str
"""A SQLite file, or Postgres's URL."""

PATIENCE_S = 5.0
"""For a lock that somebody else holds."""
_PATIENCE = "SET LOCAL lock_timeout = {:d}; SET LOCAL statement_timeout = '30s'"
_CONNECTING = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,  # ms: a server that has gone without a word
    "prepare_threshold": None,  # poolers hand out another session for each transaction
    "application_name": "weighbridge",
}


def make_engine(where: Where, patience_s: float = PATIENCE_S) -> AsyncEngine:
    """Its transactions are real ones, for the schema too; all its errors are ``StoreError``s. Nothing is opened yet."""
    if isinstance(where, Path):
        engine = create_async_engine(f"sqlite+aiosqlite:///{where}", connect_args={"timeout": patience_s})
        event.listen(engine.sync_engine, "connect", _configure_sqlite)
    else:
        url = make_url(where).set(drivername="postgresql+psycopg")
        arguments = {name: value for name, value in _CONNECTING.items() if name not in url.query}
        engine = create_async_engine(
            url, pool_pre_ping=True, pool_timeout=10, connect_args=arguments, hide_parameters=True
        )
    event.listen(engine.sync_engine, "begin", partial(_begin, _PATIENCE.format(round(patience_s * 1000))))
    event.listen(engine.sync_engine, "handle_error", _translate)
    return engine


def readers(engine: AsyncEngine) -> AsyncEngine:
    """The same, for transactions that only read: all of one state, and in SQLite they wait for no writer."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine.execution_options(only_reads=True)


def _configure_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(patience: str, connection: Connection) -> None:
    if is_postgres(connection):
        connection.exec_driver_sql(patience)
    elif connection.get_execution_options().get("only_reads"):
        connection.exec_driver_sql("BEGIN")
    else:  # the driver itself begins late, and not for the schema; one that reads first may find that it must not write
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _translate(context: ExceptionContext) -> None:
    error = context.sqlalchemy_exception
    if isinstance(error, DBAPIError) and not context.is_pre_ping:  # a connection that has ended is replaced unheard
        kind = StoreRefused if isinstance(error, DataError | IntegrityError) else StoreUnavailable
        raise kind(first_line(error)) from context.original_exception


def first_line(error: DBAPIError) -> str:
    """The driver's own words. Those that follow may quote what was to be written."""
    words = str(error.orig).strip()
    return words.splitlines()[0] if words else type(error.orig).__name__
