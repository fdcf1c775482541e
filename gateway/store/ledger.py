"""The ledger's rows: written from a spool's events, and looked at."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from gateway.ledger.events import Event, Opened, Settled
from gateway.store import charges, positions
from gateway.store.dialect import insert
from gateway.store.fitting import clipper
from gateway.store.schema import requests

ORPHANED = "orphaned"
"""The outcome of a request whose worker died before it settled."""

_clipped = clipper(requests)


def record(
    connection: Connection, spool: str, ledger: str | None, events: Sequence[Event], read_to: tuple[str, int] | None
) -> None:
    """``read_to``: a segment of the spool, and up to where it is recorded with these events."""
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
    if read_to is not None:
        positions.put(connection, spool, *read_to)


def settle_orphans(connection: Connection, spool: str, at: float) -> int:
    """How many there were."""
    row = {"outcome": ORPHANED, "settled_at": at, "usage_source": "unknown", "cost_nanousd": 0, "status": 0}
    left = update(requests).where(requests.c.spool == spool, requests.c.outcome.is_(None)).values(row)
    return connection.execute(left).rowcount


def one(connection: Connection, request_id: str) -> dict[str, Any] | None:
    row = connection.execute(select(requests).where(requests.c.id == request_id)).mappings().first()
    return dict(row) if row else None


def of_session(connection: Connection, session: str, limit: int, tenant: str | None) -> list[dict[str, Any]]:
    of_it = select(requests).where(requests.c.session == session, requests.c.settled_at.is_not(None))
    if tenant is not None:
        of_it = of_it.where(requests.c.tenant == tenant)
    newest = of_it.order_by(requests.c.settled_at.desc(), requests.c.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(newest).mappings()]


def _fields(entry: Opened | Settled) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(entry)
    del fields["event"], fields["at"]
    return _clipped(fields)
