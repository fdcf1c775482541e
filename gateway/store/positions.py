"""How far each spool is in the ledger."""

from sqlalchemy import delete, select
from sqlalchemy.engine import Connection

from gateway.store.dialect import insert
from gateway.store.schema import spool_positions


def put(connection: Connection, spool: str, segment: str, position: int) -> None:
    row = {"segment": segment, "position": position}
    statement = insert(connection, spool_positions).values(spool=spool, **row)
    connection.execute(statement.on_conflict_do_update(index_elements=["spool"], set_=row))


def of(connection: Connection, spool: str) -> tuple[str, int] | None:
    """The segment's name, and the bytes of it that are in the ledger; all of those before it are."""
    query = select(spool_positions.c.segment, spool_positions.c.position).where(spool_positions.c.spool == spool)
    found = connection.execute(query).first()
    return None if found is None else (found.segment, found.position)


def forget(connection: Connection, spool: str) -> None:
    connection.execute(delete(spool_positions).where(spool_positions.c.spool == spool))
