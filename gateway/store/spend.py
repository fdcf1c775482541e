"""What was spent on what: over requests' own rows, and over the daily sums of those that are gone.

A request counts once, at the route that answered it; what it cost counts where it was spent, attempt by attempt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Subquery, case, func, literal, null, select, union_all
from sqlalchemy.engine import Connection

from gateway.ledger.events import SHADOW
from gateway.store.day_of import DAY_S, day_of
from gateway.store.schema import charges, daily_spend, requests

NAMES: Final = ("tenant", "key_id", "team", "customer", "policy", "route", "model", "language", "usage_source")
DIMENSIONS: Final = ("day", *NAMES)
"""What sums can be by; ``day`` counts from 1970-01-01 (UTC)."""

_TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens")
MEASURES: Final = ("requests", "errors", "cache_hits", "uncounted", *_TOKENS, "cost_nanousd", "saved_nanousd")

FROM_CACHE: Final = "cache"
"""The usage source of what was answered without an upstream: nothing was used."""

_SEEN_BEFORE = ("hit", "shared")
_NO_ERROR = ("ok", "client_left")
_MAY_HAVE_USED = ("ok", "client_left", "broken_stream", "upstream_timeout", "upstream_broken", "orphaned")


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days (UTC), counted from 1970-01-01; both belong to it."""

    first: int
    last: int

    @property
    def begins(self) -> float:
        return float(self.first * DAY_S)

    @property
    def ends(self) -> float:
        """Unix seconds of the first moment after it."""
        return float((self.last + 1) * DAY_S)


def spend(connection: Connection, days: Days, by: Sequence[str], tenant: str | None = None) -> list[dict[str, Any]]:
    """Rows with ``kind`` (``requests`` or ``shadow``), the dimensions ``by``, the ``MEASURES``; ``provider_nanousd`` is
    for tokens that the provider itself counted.

    Of clients' requests of one ``tenant`` only, where that is given. One statement, so that nothing is missed or
    counted twice that moves from its own row into a daily sum meanwhile.
    """
    within = (requests.c.settled_at >= days.begins, requests.c.settled_at < days.ends)
    rolled = select(*_rolled()).where(daily_spend.c.day.between(days.first, days.last))
    every = union_all(own(*within), apart(*within), rolled).subquery()
    kind = case((every.c.policy.startswith(SHADOW), "shadow"), else_="requests")
    rows = select(every, kind.label("kind")).subquery()
    groups = [rows.c[name] for name in ("kind", *by)]
    of_provider = func.coalesce(func.sum(rows.c.cost_nanousd).filter(rows.c.usage_source == "provider"), 0)
    query = select(*groups, *_sums(rows), of_provider.label("provider_nanousd")).group_by(*groups)
    if tenant is not None:
        query = query.where(rows.c.tenant == tenant, rows.c.kind == "requests")
    return [_whole(dict(row)) for row in connection.execute(query).mappings()]


def own(*where: ColumnElement[bool]) -> Select[Any]:
    """Settled requests, each with what its own row says."""
    row = requests.c
    source = case((row.cache.in_(_SEEN_BEFORE), FROM_CACHE), else_=row.usage_source)
    said = row.charged_nanousd.is_(None)
    uncounted = (source == "unknown") & row.outcome.in_(_MAY_HAVE_USED) & said
    measures: dict[str, ColumnElement[int]] = {
        "requests": literal(1),
        "errors": case((row.outcome.in_(_NO_ERROR), 0), else_=1),
        "cache_hits": case((row.cache.in_(_SEEN_BEFORE) & (row.outcome == "ok"), 1), else_=0),
        "uncounted": case((uncounted, 1), else_=0),
        **{name: case((said, func.coalesce(row[name], 0)), else_=0) for name in _TOKENS},
        "cost_nanousd": func.coalesce(row.cost_nanousd, 0) - func.coalesce(row.charged_nanousd, 0),
        "saved_nanousd": func.coalesce(row.saved_nanousd, 0),
    }
    names = {"route": _named(row.route), "model": _named(row.model), "usage_source": source}
    return select(*_columns(names, measures)).where(row.outcome.is_not(None), *where)


def apart(*where: ColumnElement[bool]) -> Select[Any]:
    """Answers that were paid for, where a request's own row does not say it all."""
    row = charges.c
    counted = (*_TOKENS, "cost_nanousd")
    measures: dict[str, ColumnElement[int]] = {name: row[name] if name in counted else literal(0) for name in MEASURES}
    names = {"route": _named(row.route), "model": _named(row.model), "usage_source": row.usage_source}
    both = requests.join(charges, charges.c.request_id == requests.c.id)
    return select(*_columns(names, measures)).select_from(both).where(requests.c.outcome.is_not(None), *where)


def _columns(
    names: Mapping[str, ColumnElement[Any]], measures: Mapping[str, ColumnElement[int]]
) -> list[ColumnElement[Any]]:
    of_names = [names.get(name, requests.c[name]).label(name) for name in NAMES]
    of_measures = [measures[name].label(name) for name in MEASURES]
    return [day_of(requests.c.settled_at).label("day"), *of_names, *of_measures]


def _rolled() -> list[ColumnElement[Any]]:
    return [daily_spend.c[name] for name in (*DIMENSIONS, *MEASURES)]


def _sums(rows: Subquery) -> list[ColumnElement[int]]:
    return [func.sum(rows.c[name]).label(name) for name in MEASURES]


def sums_by_everything(connection: Connection, *where: ColumnElement[bool]) -> list[dict[str, Any]]:
    """Of requests' own rows, by all ``DIMENSIONS``."""
    rows = union_all(own(*where), apart(*where)).subquery()
    groups = [rows.c[name] for name in DIMENSIONS]
    query = select(*groups, *_sums(rows)).group_by(*groups)
    return [_whole(dict(row)) for row in connection.execute(query).mappings()]


def _named(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((column == "", null()), else_=column)


def _whole(row: Mapping[str, Any]) -> dict[str, Any]:
    """Postgres sums whole numbers into decimal ones."""
    return {name: int(value) if name not in (*NAMES, "kind") else value for name, value in row.items()}
