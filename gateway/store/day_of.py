"""The day of a moment, in SQLite's words and in Postgres's."""

from typing import Any

from sqlalchemy import BigInteger, FunctionElement
from sqlalchemy.ext.compiler import compiles

DAY_S = 86_400


class day_of(FunctionElement[int]):
    """Whole days since 1970-01-01 (UTC) of a column with Unix seconds, none of them before."""

    type = BigInteger()
    inherit_cache = True


@compiles(day_of, "sqlite")
def _sqlite(element: day_of, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} / {DAY_S} AS INTEGER)"


@compiles(day_of, "postgresql")
def _postgresql(element: day_of, compiler: Any, **options: Any) -> str:
    return f"CAST(floor({compiler.process(element.clauses, **options)} / {DAY_S}) AS BIGINT)"
