"""The day and the hour of a moment, in SQLite's words and in Postgres's."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, FunctionElement
from sqlalchemy.ext.compiler import compiles

DAY_S = 86_400
HOUR_S = 3600


class _PeriodOf(FunctionElement[int]):
    type = BigInteger()
    inherit_cache = True
    seconds: ClassVar[int]


class day_of(_PeriodOf):
    """Whole days since 1970-01-01 (UTC) of a column with Unix seconds, none of them before."""

    inherit_cache = True
    seconds = DAY_S


class hour_of(_PeriodOf):
    """The same in hours."""

    inherit_cache = True
    seconds = HOUR_S


@compiles(_PeriodOf, "sqlite")
def _sqlite(element: _PeriodOf, compiler: Any, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} / {element.seconds} AS INTEGER)"


@compiles(_PeriodOf, "postgresql")
def _postgresql(element: _PeriodOf, compiler: Any, **options: Any) -> str:
    return f"CAST(floor({compiler.process(element.clauses, **options)} / {element.seconds}) AS BIGINT)"
