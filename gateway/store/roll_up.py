"""Old requests become daily sums: in small transactions, each of which moves some rows as a whole.

Whatever is cut off in between, no request is in both places, and none in neither.
"""

import hashlib
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Connection

from gateway.ledger.events import SHADOW
from gateway.store import gpu, marks, spend
from gateway.store.dialect import insert
from gateway.store.schema import charges, daily_spend, feedback, requests

MOST_AT_ONCE = 500


def roll_up(connection: Connection, before: float, most: int = MOST_AT_ONCE) -> int:
    """Moves up to ``most`` requests that ended ``before`` (Unix seconds); how many there were."""
    marks.lock(connection, "upkeep")  # one gateway at a time
    ended = requests.c.settled_at
    oldest = select(requests.c.id).where(requests.c.outcome.is_not(None), ended < before).order_by(ended).limit(most)
    ids = list(connection.execute(oldest).scalars())
    if not ids:
        return 0
    moved = requests.c.id.in_(ids)
    _add(connection, sorted(map(_row, spend.sums_by_everything(connection, moved)), key=itemgetter("id")))
    gpu.settle(connection, moved)
    connection.execute(delete(charges).where(charges.c.request_id.in_(ids)))
    connection.execute(delete(feedback).where(feedback.c.request_id.in_(ids)))
    connection.execute(delete(requests).where(moved))
    return len(ids)


def rolled_up(connection: Connection, days: spend.Days) -> Mapping[str, int]:
    """How many clients' requests of these days have no rows of their own any more, by policy."""
    row = daily_spend.c
    within = (row.day.between(days.first, days.last), ~row.policy.startswith(SHADOW), row.requests > 0)
    counted = connection.execute(select(row.policy, func.sum(row.requests)).where(*within).group_by(row.policy))
    return {policy: int(count) for policy, count in counted}


def _row(sums: Mapping[str, Any]) -> dict[str, Any]:
    named = repr([sums[name] for name in spend.DIMENSIONS]).encode()
    return {"id": hashlib.blake2b(named, digest_size=16).hexdigest(), **sums}


def _add(connection: Connection, rows: list[dict[str, Any]]) -> None:
    statement = insert(connection, daily_spend)
    sums = {name: daily_spend.c[name] + statement.excluded[name] for name in spend.MEASURES}
    connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=sums), rows)
