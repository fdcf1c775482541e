"""Verdicts on answers, beside the ledger's rows."""

from sqlalchemy import and_, func, or_, select
from sqlalchemy.engine import Connection

from gateway.feedback import Feedback, Tally
from gateway.store.dialect import insert
from gateway.store.schema import feedback, requests

_SEEN_BEFORE = ("hit", "shared")


def add(connection: Connection, given: Feedback, at: float) -> None:
    """It replaces an earlier verdict on the same request."""
    row = {"request_id": given.request_id, "at": at, "verdict": given.verdict, "language": given.language}
    statement = insert(connection, feedback).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["request_id"], set_=row))


def tallies(connection: Connection, tenant: str | None) -> list[Tally]:
    """Of answers only: a request that failed before its first content says nothing of a route's code."""
    columns = {
        "route": requests.c.route,
        "revision": requests.c.revision,
        "language": func.coalesce(feedback.c.language, requests.c.language),
        "verdict": feedback.c.verdict,
        "again": requests.c.cache.in_(_SEEN_BEFORE),
    }
    answered = and_(requests.c.route != "", or_(requests.c.outcome == "ok", requests.c.ttft_ms.is_not(None)))
    query = (
        select(*(column.label(name) for name, column in columns.items()))
        .add_columns(func.count().label("count"), func.max(feedback.c.at).label("last_at"))
        .select_from(feedback.join(requests, requests.c.id == feedback.c.request_id))
        .where(answered, *([] if tenant is None else [requests.c.tenant == tenant]))
        .group_by(*columns.values())
    )
    return [Tally(**row) for row in connection.execute(query).mappings()]
