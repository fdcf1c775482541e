"""Virtual keys, as records that only their own type reads."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from gateway.keys.key import VirtualKey
from gateway.store.schema import keys


def put(connection: Connection, changed: Sequence[VirtualKey]) -> None:
    statement = insert(keys)
    replacing = statement.on_conflict_do_update(index_elements=["id"], set_={"key": statement.excluded.key})
    connection.execute(replacing, [{"id": key.id, "key": msgspec.to_builtins(key)} for key in changed])


def everything(connection: Connection) -> list[VirtualKey]:
    return [msgspec.convert(found, VirtualKey) for found in connection.execute(select(keys.c.key)).scalars()]
