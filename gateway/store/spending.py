"""What has been spent by whom, summed up from the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, case, cast, func, or_, select
from sqlalchemy.engine import Connection

from gateway.store.schema import requests

_LATEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Spending:
    """Nano-dollars of one key in one team and for one customer: of the day, and of the month.

    ``ledger`` is the id of the gateway that recorded them; None: they are older than that is noted.
    """

    ledger: str | None
    key_id: str
    team: str | None
    customer: str | None
    day: int
    month: int


@dataclass(frozen=True, slots=True)
class Charge:
    """One request, and what it has cost."""

    id: str
    key_id: str
    team: str | None
    customer: str | None
    nanousd: int
    input_tokens: int
    output_tokens: int


def since(connection: Connection, day: float, month: float) -> Sequence[Spending]:
    """Virtual keys' requests that were settled since then (Unix seconds); ``day`` is the later."""
    row = requests.c
    of_day = func.sum(case((row.settled_at >= day, row.cost_nanousd), else_=0))
    whose = (row.ledger, row.key_id, row.team, row.customer)
    sums = (
        select(*whose, cast(of_day, BigInteger), cast(func.sum(row.cost_nanousd), BigInteger))
        .where(row.key_id.is_not(None), row.settled_at >= month, row.cost_nanousd.is_not(None))
        .group_by(*whose)
    )
    return [Spending(*found) for found in connection.execute(sums)]


def last_of(connection: Connection, spool: str, orphaned: str) -> Sequence[Charge]:
    """A spool's requests by virtual keys that had no end of their own, or had it in the spool's last minute.

    ``orphaned`` is the outcome of the former.
    """
    row = requests.c
    known = row.outcome != orphaned
    last = connection.execute(select(func.max(row.settled_at)).where(row.spool == spool, known)).scalar() or 0.0
    tokens = (func.coalesce(row.input_tokens, 0), func.coalesce(row.output_tokens, 0))
    charges = (
        select(row.id, row.key_id, row.team, row.customer, row.cost_nanousd, *tokens)
        .where(row.spool == spool, row.key_id.is_not(None), row.cost_nanousd.is_not(None))
        .where(or_(~known, row.settled_at >= last - _LATEST_S))
    )
    return [Charge(*found) for found in connection.execute(charges)]
