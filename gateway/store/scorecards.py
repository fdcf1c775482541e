"""Scorecards, and the evidence that they make together with what watching has decided."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from gateway.store import admissions, marks
from gateway.store.dialect import insert
from gateway.store.fitting import checked
from gateway.store.schema import scorecards
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot


def add(connection: Connection, cards: Sequence[Scorecard]) -> None:
    """A run's scorecard replaces the same run's earlier one. Raises ``StoreRefused``."""
    version = marks.lock(connection, "evidence") + 1
    for card in cards:
        key = {name: getattr(card, name) for name in ("run_id", "route", "revision", "suite", "language")}
        row = checked(scorecards, {**key, "version": version, "scorecard": msgspec.to_builtins(card)})
        statement = insert(connection, scorecards).values(row)
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=row))
    if cards:
        marks.set_to(connection, "evidence", version)


def evidence(connection: Connection) -> Snapshot:
    """All scorecards, and the admissions in force."""
    rows = connection.execute(select(scorecards).order_by(scorecards.c.version)).mappings().all()
    cards = tuple(msgspec.convert(row["scorecard"], Scorecard) for row in rows)
    return Snapshot(admissions.newest_version(connection), cards, admissions.in_force(connection))
