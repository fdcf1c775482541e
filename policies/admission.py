"""What watching a route has shown: whether a revision still keeps the bar that policies set on a suite.

An admission is about one *gate*: a suite, a language (None: the whole suite) and a bar. Without one there is no
opinion, and scorecards alone decide. It is a row of the audit, too: the newest of a gate is in force.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["admitted", "probation", "demoted"]
"""``demoted``: below the bar, or worse than it was. ``probation``: on its way back, asked again but not yet trusted."""


@dataclass(frozen=True, slots=True)
class Admission:
    """One change of state, or an admitted route's newer bounds (``before`` is the same then).

    ``low`` and ``high``: bounds of pass@1 that are true at all times at once, ``low`` with ``confidence``.
    """

    route: str
    revision: str
    suite: str
    language: str | None
    at_least: float
    confidence: float
    before: State | None
    """None: there was no opinion."""
    state: State
    at: str
    """ISO 8601, UTC."""
    reason: str
    """A sentence for people."""
    run_id: str
    """Of the samples that it rests on."""
    low: float
    high: float
    tasks: int
    """Draws that were scored, of all that count: those since it was first asked, or since it was demoted last."""
    failing: tuple[str, ...] = ()
    """Ids of tasks that failed, those that used to pass first; a few."""

    @property
    def gate(self) -> tuple[str, str, str, str | None, float]:
        """What a newer one must share to take its place."""
        return self.route, self.revision, self.suite, self.language, self.at_least

    def speaks_for(self, at_least: float, confidence: float) -> bool:
        """Who is below a bar is below every higher one, and who clears one with some confidence clears lower ones."""
        if self.state == "admitted":
            return self.at_least >= at_least and self.confidence >= confidence
        return self.at_least <= at_least


def in_force(rows: Iterable[Admission]) -> tuple[Admission, ...]:
    """The last of each gate, of ``rows`` in the order in which they were written."""
    return tuple({row.gate: row for row in rows}.values())


def speaking(rows: Iterable[Admission], at_least: float, confidence: float) -> Admission | None:
    """Of ``rows`` about one revision, suite and language the one that decides about a bar; a bad word goes first."""
    fitting = [row for row in rows if row.speaks_for(at_least, confidence)]
    return min(fitting, key=lambda row: (row.state == "admitted", -row.at_least), default=None)
