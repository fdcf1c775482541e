"""The matrix turned: for each suite and language, what every route scored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.cli.matrix_rows import RouteRow, SuiteResult


@dataclass(frozen=True, slots=True)
class Weighed:
    """A route's result on the suite and language at hand."""

    route: str
    result: SuiteResult


@dataclass(frozen=True, slots=True)
class Line:
    """Every route in one language of a suite; ``weighed`` is not empty."""

    weighed: tuple[Weighed, ...]

    @property
    def suite(self) -> str:
        first = self.weighed[0].result
        return first.suite if first.origin == "measured" else f"{first.suite} ({first.origin})"

    @property
    def language(self) -> str:
        return self.weighed[0].result.language


def by_suite(rows: Sequence[RouteRow]) -> Iterator[tuple[str, list[Line]]]:
    """Each suite with a line for each of its languages; published figures stand apart."""
    columns = zip(*(row.results for row in rows), strict=True)
    names = [row.name for row in rows]
    lines = [Line(tuple(map(Weighed, names, column))) for column in columns]
    for suite, group in groupby(sorted(lines, key=lambda line: line.suite), key=lambda line: line.suite):
        yield suite, list(group)
