"""Numbers that are raised when something has changed, so that gateways that share a store see each other's changes."""

from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.engine import Connection

from gateway.store.schema import marks

Name = Literal["evidence", "keys", "upkeep"]


def lock(connection: Connection, name: Name) -> int:
    """What it stands at; nobody else raises it until the transaction ends. To write is what locks in both databases."""
    held = update(marks).where(marks.c.name == name).values(number=marks.c.number).returning(marks.c.number)
    return int(connection.execute(held).scalar_one())


def set_to(connection: Connection, name: Name, number: int) -> None:
    connection.execute(update(marks).where(marks.c.name == name).values(number=number))


def everything(connection: Connection) -> dict[str, int]:
    return {row.name: row.number for row in connection.execute(select(marks))}
