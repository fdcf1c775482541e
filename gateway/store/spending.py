"""What has been spent by whom, summed up from the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, func, select
from sqlalchemy.engine import Connection

from gateway.store.schema import requests


@dataclass(frozen=True, slots=True)
class Spending:
    """Nano-dollars of one key in one team and for one customer: of the day, and of the month."""

    key_id: str
    team: str | None
    customer: str | None
    day: int
    month: int


def since(connection: Connection, day: float, month: float) -> Sequence[Spending]:
    """Virtual keys' requests that were settled since then (Unix seconds); ``day`` is the later."""
    row = requests.c
    of_day = func.sum(case((row.settled_at >= day, row.cost_nanousd), else_=0))
    whose = (row.key_id, row.team, row.customer)
    sums = (
        select(*whose, of_day, func.sum(row.cost_nanousd))
        .where(row.key_id.is_not(None), row.settled_at >= month, row.cost_nanousd.is_not(None))
        .group_by(*whose)
    )
    return [Spending(*found) for found in connection.execute(sums)]
