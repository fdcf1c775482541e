"""Alembic, run from the package: the store brings itself up to date when it is opened."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.engine import Connection

from gateway.store.dialect import is_postgres
from gateway.store.trouble import StoreUnavailable

_ONE_AT_A_TIME = 0x57454947  # any number that nobody else locks
MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> None:
    """To the newest revision, in the connection's transaction. Raises ``StoreUnavailable`` where it is beyond that."""
    if is_postgres(connection):  # a SQLite file is locked by the transaction
        connection.execute(text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ONE_AT_A_TIME})
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreUnavailable(f"a newer version of weighbridge has changed it ({error})") from error
