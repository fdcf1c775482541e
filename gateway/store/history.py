"""The store as another process reads it, beside a gateway that writes. Nothing is changed, nor brought up to date."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from sqlalchemy import Engine, create_engine, make_url, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError

from gateway.ledger.events import SHADOW
from gateway.store import roll_up
from gateway.store.day_of import DAY_S
from gateway.store.engine import Where, first_line
from gateway.store.schema import requests
from gateway.store.scorecards import evidence
from gateway.store.spend import Days
from policies.snapshot import Snapshot


class UnreadableStore(Exception):
    """There is none, or not in the form of this version; the message says so."""


class History:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, where: Where) -> Iterator[Self]:
        """Raises UnreadableStore, also from the body."""
        engine = _reading(where)
        try:
            with engine.connect() as connection:
                yield cls(connection)
        except (OperationalError, ProgrammingError) as error:
            name = where if isinstance(where, Path) else "the store in Postgres"
            raise UnreadableStore(
                f"{name} cannot be read ({first_line(error)}): a gateway makes it, and brings an older one up to date"
            ) from error
        finally:
            engine.dispose()

    def evidence(self) -> Snapshot:
        return evidence(self._connection)

    def settled(self, since: float, until: float) -> Iterator[dict[str, Any]]:
        """Clients' requests that ended from ``since`` on and before ``until``, in Unix seconds; oldest first."""
        within = (requests.c.settled_at >= since, requests.c.settled_at < until, requests.c.outcome.is_not(None))
        clients = ~requests.c.policy.startswith(SHADOW)
        wanted = select(requests).where(*within, clients).order_by(requests.c.settled_at, requests.c.id)
        with self._connection.execution_options(yield_per=1000).execute(wanted) as rows:
            yield from map(dict, rows.mappings())

    def rolled_up(self, since: float, until: float) -> Mapping[str, int]:
        """How many of the time's requests, by policy, have no rows any more; of days that are partly in it, all."""
        return roll_up.rolled_up(self._connection, Days(int(since // DAY_S), int((until - 0.001) // DAY_S)))


def _reading(where: Where) -> Engine:
    if isinstance(where, Path):
        return create_engine(f"sqlite:///file:{quote(str(where.resolve()))}?mode=ro&uri=true")
    of_one_moment = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return create_engine(make_url(where).set(drivername="postgresql+psycopg"), execution_options=of_one_moment)
