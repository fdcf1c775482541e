"""Values that a column can hold. SQLite takes any; Postgres keeps to what the schema says, and takes no NUL."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, Integer, String, Table

from gateway.store.trouble import StoreRefused

Fit = Callable[[dict[str, Any]], dict[str, Any]]


def clipper(table: Table) -> Fit:
    """Makes a row fit: for what must be recorded, whatever a client or a server has put into it."""
    texts = {c.name: c.type.length for c in table.columns if isinstance(c.type, String) and c.type.length}
    counts = {c.name: 2**63 - 1 if isinstance(c.type, BigInteger) else 2**31 - 1 for c in _counts(table)}

    def clip(row: dict[str, Any]) -> dict[str, Any]:
        for name, value in row.items():
            if isinstance(value, str):
                if (most := texts.get(name)) is not None and (len(value) > most or "\0" in value):
                    row[name] = value.replace("\0", "\N{REPLACEMENT CHARACTER}")[:most]
            elif isinstance(value, int) and (largest := counts.get(name)) is not None:
                row[name] = min(max(value, -largest), largest)
        return row

    return clip


def checked(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    """The row, for what may be refused. Raises ``StoreRefused``."""
    for name, value in row.items():
        column = table.c[name].type
        if isinstance(value, str) and isinstance(column, String):
            if column.length is not None and len(value) > column.length:
                raise StoreRefused(f"{name} has more than {column.length} characters")
            if "\0" in value:
                raise StoreRefused(f"{name} has a NUL character")
    return row


def _counts(table: Table) -> list[Any]:
    return [column for column in table.columns if isinstance(column.type, Integer)]
