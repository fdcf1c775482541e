"""Virtual keys, as records that only their own type reads."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.engine import Connection

from gateway.keys.key import VirtualKey, merged
from gateway.store import marks
from gateway.store.dialect import insert
from gateway.store.schema import keys

_AT_ONCE = 500


def put(connection: Connection, changed: Sequence[VirtualKey]) -> list[VirtualKey]:
    """As they are kept: merged with what was there, so that no gateway undoes what another has done."""
    mark = marks.lock(connection, "keys")
    there = {key.id: key for key in _read(connection, [key.id for key in changed])}
    kept = [merged(there.get(key.id, key), key) for key in changed]
    new = [key for key in kept if there.get(key.id) != key]
    if new:
        statement = insert(connection, keys)
        replacing = statement.on_conflict_do_update(index_elements=["id"], set_={"key": statement.excluded.key})
        connection.execute(replacing, [{"id": key.id, "key": msgspec.to_builtins(key)} for key in new])
        marks.set_to(connection, "keys", mark + 1)
    return kept


def everything(connection: Connection) -> list[VirtualKey]:
    return [msgspec.convert(found, VirtualKey) for found in connection.execute(select(keys.c.key)).scalars()]


def _read(connection: Connection, ids: Sequence[str]) -> list[VirtualKey]:
    """In parts: a statement may have only so many parameters."""
    parts = (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
    found = (connection.execute(select(keys.c.key).where(keys.c.id.in_(part))).scalars() for part in parts)
    return [msgspec.convert(key, VirtualKey) for rows in found for key in rows]
