"""The audit of what watching has decided."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Select, func, insert, select
from sqlalchemy.engine import Connection

from gateway.store import marks
from gateway.store.fitting import checked
from gateway.store.schema import admissions, scorecards
from policies.admission import Admission

_GATE = ("route", "revision", "suite", "language", "at_least")


def add(connection: Connection, rows: Sequence[Admission]) -> int:
    """How many were new: older ones, and the same state by no more tasks, are no change."""
    before = version = marks.lock(connection, "evidence")
    for row in rows:
        if not _is_in_force(connection, row):
            version += 1
            gate = {name: getattr(row, name) for name in _GATE}
            values = {**gate, "version": version, "admission": msgspec.to_builtins(row)}
            connection.execute(insert(admissions).values(checked(admissions, values)))
    if version > before:
        marks.set_to(connection, "evidence", version)
    return version - before


def in_force(connection: Connection) -> tuple[Admission, ...]:
    newest = select(func.max(admissions.c.id)).group_by(*(admissions.c[name] for name in _GATE))
    return _read(
        connection, select(admissions.c.admission).where(admissions.c.id.in_(newest)).order_by(admissions.c.id)
    )


def history(connection: Connection, limit: int) -> tuple[Admission, ...]:
    """Newest first."""
    return _read(connection, select(admissions.c.admission).order_by(admissions.c.id.desc()).limit(limit))


def newest_version(connection: Connection) -> int:
    """Of the evidence: scorecards and admissions share their versions."""
    return max(
        connection.execute(select(func.max(table.c.version))).scalar() or 0 for table in (admissions, scorecards)
    )


def _is_in_force(connection: Connection, row: Admission) -> bool:
    here = (admissions.c[name].is_not_distinct_from(getattr(row, name)) for name in _GATE)
    newest = _read(connection, select(admissions.c.admission).where(*here).order_by(admissions.c.id.desc()).limit(1))
    return any(_covers(last, row) for last in newest)


def _covers(last: Admission, row: Admission) -> bool:
    if datetime.fromisoformat(row.at) < datetime.fromisoformat(last.at):
        return True
    return (last.state, last.confidence) == (row.state, row.confidence) and row.tasks <= last.tasks


def _read(connection: Connection, query: Select[Any]) -> tuple[Admission, ...]:
    return tuple(msgspec.convert(found, Admission) for found in connection.execute(query).scalars())
