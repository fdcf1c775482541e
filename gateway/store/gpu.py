"""What GPUs cost whether or not they work: an hour's bill is a row, and idle is what requests did not pay of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Subquery, delete, func, literal, select, union_all, update
from sqlalchemy.engine import Connection

from gateway.store import marks
from gateway.store.day_of import HOUR_S, day_of, hour_of
from gateway.store.dialect import insert
from gateway.store.fitting import clipper
from gateway.store.schema import charges, gpu_hours, gpu_meters, requests
from gateway.store.spend import Days

LONGEST_GAP_S = 24 * HOUR_S
"""For so long a gateway may be away, and its GPUs are still thought to be rented."""

DIMENSIONS = ("day", "route", "model")

_clipped = clipper(gpu_hours)


@dataclass(frozen=True, slots=True)
class Rented:
    """The GPUs of all of a route's replicas, and what they cost an hour together, in nano-dollars."""

    route: str
    model: str
    gpus: int
    hour_nanousd: int


def meter(connection: Connection, rented: Rented, now: int, *, ending: bool = False) -> None:
    """Writes down the hours that are over; where it is ``ending``, also the part of this one until ``now``.

    A route's first call begins its meter. Repeating it, on whichever gateway, changes nothing.
    """
    marks.lock(connection, "upkeep")
    until = connection.execute(select(gpu_meters.c.until).where(gpu_meters.c.route == rented.route)).scalar()
    if until is None or abs(now - until) > LONGEST_GAP_S:  # new, given back meanwhile, or a clock that was wrong
        _set_until(connection, rented.route, now)
        return
    end = now if ending else now - now % HOUR_S
    if until < end:
        rows = [_clipped(_row(rented, *part)) for part in _hours(until, end)]
        connection.execute(insert(connection, gpu_hours).on_conflict_do_nothing(), rows)
        _set_until(connection, rented.route, end)


def give_back(connection: Connection, rented: Rented, now: int) -> None:
    """The route is gone, and its GPUs from now on are not its own."""
    meter(connection, rented, now, ending=True)
    connection.execute(delete(gpu_meters).where(gpu_meters.c.route == rented.route))


def idle(connection: Connection, days: Days, by: Sequence[str]) -> list[dict[str, Any]]:
    """Sums by those of ``DIMENSIONS`` that are in ``by``: ``gpu_seconds`` that were rented, and ``cost_nanousd``, what
    their hours' requests did not pay. That is less than nothing where there were more tokens than the price goes by.
    """
    row = gpu_hours.c
    where = (day_of(row.begins).label("day"), row.route, row.model)
    within = row.begins.between(int(days.begins), int(days.ends) - 1)
    bills = select(*where, row.gpu_seconds, (row.bill_nanousd - row.paid_nanousd).label("nanousd")).where(within)
    paid = _paid(requests.c.settled_at >= days.begins, requests.c.settled_at < days.ends)
    of_hour = gpu_hours.join(paid, (paid.c.route == row.route) & (paid.c.begins == row.begins))
    live = select(*where, literal(0).label("gpu_seconds"), (-paid.c.nanousd).label("nanousd")).select_from(of_hour)
    rows = union_all(bills, live).subquery()
    groups = [rows.c[name] for name in DIMENSIONS if name in by]
    sums = (func.sum(rows.c.gpu_seconds).label("gpu_seconds"), func.sum(rows.c.nanousd).label("cost_nanousd"))
    found = connection.execute(select(*groups, *sums).group_by(*groups)).mappings()
    return [_whole(dict(row)) for row in found if row["gpu_seconds"] is not None]


def settle(connection: Connection, moved: ColumnElement[bool]) -> None:
    """What requests have paid of GPU hours is still paid when their rows are gone."""
    paid = _paid(moved)
    for route, begins, nanousd in connection.execute(select(paid.c.route, paid.c.begins, paid.c.nanousd)).all():
        here = (gpu_hours.c.route == route, gpu_hours.c.begins == begins)
        more = gpu_hours.c.paid_nanousd + int(nanousd)
        connection.execute(update(gpu_hours).where(*here).values(paid_nanousd=more))


def _paid(*where: ColumnElement[bool]) -> Subquery:
    """What requests that have rows of their own paid of each hour of ``gpu_hours``: at its first row."""
    row = requests.c
    hour = hour_of(row.settled_at).label("hour")
    rest = (row.cost_nanousd - func.coalesce(row.charged_nanousd, 0)).label("nanousd")
    own = select(row.route, hour, rest)
    both = requests.join(charges, charges.c.request_id == row.id)
    apart = select(charges.c.route, hour, charges.c.cost_nanousd.label("nanousd")).select_from(both)
    each = union_all(*(some.where(row.outcome.is_not(None), *where) for some in (own, apart))).subquery()
    summed = select(each.c.route, each.c.hour, func.sum(each.c.nanousd).label("nanousd"))
    paid = summed.group_by(each.c.route, each.c.hour).subquery()
    metered = select(gpu_hours.c.route, hour_of(gpu_hours.c.begins).label("hour"), gpu_hours.c.begins).subquery()
    begins = func.min(metered.c.begins).label("begins")
    first = select(metered.c.route, metered.c.hour, begins).group_by(metered.c.route, metered.c.hour).subquery()
    joined = paid.join(first, (first.c.route == paid.c.route) & (first.c.hour == paid.c.hour))
    return select(paid.c.route, first.c.begins, paid.c.nanousd).select_from(joined).subquery()


def _hours(begins: int, end: int) -> Iterator[tuple[int, int]]:
    while begins < end:
        ends = min(end, begins - begins % HOUR_S + HOUR_S)
        yield begins, ends
        begins = ends


def _row(rented: Rented, begins: int, ends: int) -> dict[str, Any]:
    seconds = ends - begins
    return {
        "route": rented.route,
        "model": rented.model,
        "begins": begins,
        "ends": ends,
        "gpu_seconds": rented.gpus * seconds,
        "bill_nanousd": (2 * rented.hour_nanousd * seconds + HOUR_S) // (2 * HOUR_S),
        "paid_nanousd": 0,
    }


def _set_until(connection: Connection, route: str, until: int) -> None:
    row = insert(connection, gpu_meters).values(route=route, until=until)
    connection.execute(row.on_conflict_do_update(index_elements=["route"], set_={"until": until}))


def _whole(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if name in ("route", "model") else int(value) for name, value in row.items()}
