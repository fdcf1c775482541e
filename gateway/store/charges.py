"""Answers that a request paid for, where its own row does not say it all: several of them, or another route's."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.engine import Connection

from backends.usage import Usage
from gateway.ledger.events import AttemptDetail, Settled
from gateway.store.fitting import clipper
from gateway.store.schema import charges

_clipped = clipper(charges)


def put(connection: Connection, ended: Sequence[Settled]) -> Mapping[str, int]:
    """Nano-dollars that were charged apart, by request; repeating it changes nothing."""
    apart = {entry.id: paid for entry in ended if (paid := _paid_apart(entry))}
    if apart:
        connection.execute(delete(charges).where(charges.c.request_id.in_(apart)))
        rows = [_clipped(row) for owner, paid in apart.items() for row in _rows(owner, paid)]
        connection.execute(insert(charges), rows)
    return {owner: sum(each.cost_nanousd for each in paid) for owner, paid in apart.items()}


def _paid_apart(entry: Settled) -> list[AttemptDetail]:
    paid = [each for each in entry.attempts if each.usage is not None]
    only = len(paid) == 1 and (paid[0].route, paid[0].cost_nanousd) == (entry.route, entry.cost_nanousd)
    return [] if only else paid


def _rows(request_id: str, paid: Iterable[AttemptDetail]) -> Iterable[dict[str, Any]]:
    for number, each in enumerate(paid):
        usage = each.usage or Usage()
        yield {
            "request_id": request_id,
            "number": number,
            "route": each.route,
            "model": each.model,
            "usage_source": each.usage_source,
            "input_tokens": usage.input_tokens,
            "cached_input_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "output_tokens": usage.output_tokens,
            "cost_nanousd": each.cost_nanousd,
        }
