"""Where a route's revision stands at one gate, by all that was drawn so far; and when that changes.

A gate's confidence leaves a risk. All of it goes into admitting wrongly. Of demoting wrongly a half goes into the upper
bound and a quarter into the reference, the rest is the detector's. docs/watch.md says what that adds up to.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from evaluator.statistics import drawn
from evaluator.statistics.detector import Detector
from evaluator.watching.baseline import Baseline
from policies.admission import Admission, State

AVERAGE_RUN_LENGTH = 160_000.0
MOST_UNSCORED_SHARE = 0.02
"""As in a gate on a whole run: with more of them no route is admitted."""
TOLD_AGAIN = 1.5
"""An admitted route's bounds are told anew when it has so many times the draws: who grows a share goes by them."""
_FAILING = 20
HIGHEST = 0.999
"""A reference that can still be missed."""


@dataclass(frozen=True, slots=True)
class Gate:
    """``language`` None is the whole suite."""

    suite: str
    language: str | None
    at_least: float
    confidence: float

    @classmethod
    def of(cls, row: Admission) -> "Gate":
        return cls(row.suite, row.language, row.at_least, row.confidence)

    @property
    def risk(self) -> float:
        return 1 - self.confidence

    def __str__(self) -> str:
        return f"pass@1 on {self.suite}{f' ({self.language})' if self.language else ''} >= {self.at_least:g}"


@dataclass(frozen=True, slots=True)
class Draw:
    """One drawn task's result; ``passed`` None: there is no score."""

    language: str
    task_id: str
    passed: bool | None


@dataclass(frozen=True, slots=True)
class Change:
    """A gate's new state, or an admitted route's newer bounds, and why; all figures are those of the moment."""

    before: State | None
    state: State
    reason: str
    low: float
    high: float
    draws: int
    failing: tuple[str, ...]


class Standing:
    """``tasks``: ids by language, of the languages that the gate is about."""

    def __init__(
        self,
        gate: Gate,
        tasks: Mapping[str, Sequence[str]],
        average_run_length: float = AVERAGE_RUN_LENGTH,
    ) -> None:
        self.gate = gate
        self.state: State | None = None
        self._tasks = tasks
        self._average_run_length = average_run_length
        self._begin()

    def _begin(self) -> None:
        """Nothing drawn before counts any more."""
        self._values: Counter[float] = Counter()
        self._told = 0
        self._unscored = 0
        self._baseline = Baseline(self._tasks)
        self._reference = self.gate.at_least
        self._detector = Detector(self._average_run_length)
        self._failed: dict[str, bool] = {}

    @property
    def draws(self) -> int:
        return self._values.total()

    @property
    def mean(self) -> float | None:
        return sum(value * count for value, count in self._values.items()) / self.draws if self.draws else None

    @property
    def level(self) -> float:
        """The detector's."""
        return self._detector.level

    @property
    def reference(self) -> float:
        """What it was shown to reach, the bar at least: less than this is worse than it was."""
        return self._reference

    def bounds(self) -> tuple[float, float]:
        """The lower one at the gate's risk, the upper one at half of it: true at all times at once."""
        return drawn.lower(self._values, self.gate.risk), drawn.upper(self._values, self.gate.risk / 2)

    def add(self, draw: Sequence[Draw]) -> None:
        """One task of each language of the gate; :meth:`decided` says what follows."""
        if self.state == "demoted":
            return
        if any(each.passed is None for each in draw):
            self._unscored += 1
            return
        shares = self._baseline.shares
        value = round(sum(shares[each.language] for each in draw if each.passed), 9)
        expected = sum(shares[each.language] * self._baseline.expected(each.language, each.task_id) for each in draw)
        self._detector.take(value, expected, self._baseline.mean(), self._reference)
        self._values[value] += 1
        for each in draw:
            self._count(each)
        self._reference = max(self._reference, min(drawn.lower(self._values, self.gate.risk / 4), HIGHEST))

    def follow(self, state: State) -> None:
        """It changed so at this point, as was recorded."""
        self.state = state
        self._told = self.draws
        if state != "admitted":
            self._begin()

    def rest_is_over(self) -> Change:
        """A demoted route is asked again, from nothing."""
        return self._to("probation", "its rest is over; it is asked again until its lower bound clears the bar")

    def _count(self, draw: Draw) -> None:
        if not draw.passed:
            self._failed.pop(draw.task_id, None)  # the latest comes last
            self._failed[draw.task_id] = self._baseline.passed_before(draw.task_id)
        self._baseline.add(draw.language, draw.task_id, bool(draw.passed))

    def decided(self) -> Change | None:
        """To be asked after each draw: every answer holds at all times at once."""
        gate = self.gate
        if self.state == "demoted" or not self.draws:
            return None
        if drawn.shows_below(self._values, gate.at_least, gate.risk / 2):
            return self._to("demoted", f"its upper bound {self.bounds()[1]:.3f} is below {gate.at_least:g}")
        if self._detector.has_fired:
            return self._to("demoted", self._drift())
        if self.state == "admitted":
            wanted = ceil(TOLD_AGAIN * self._told)
            return self._to("admitted", "it is still so, and its bounds are narrower") if self.draws >= wanted else None
        if self._unscored > MOST_UNSCORED_SHARE * (self.draws + self._unscored):
            return None
        if drawn.shows_above(self._values, gate.at_least, gate.risk):
            return self._to("admitted", f"its lower bound {self.bounds()[0]:.3f} clears {gate.at_least:g}")
        return None

    def _drift(self) -> str:
        return (
            f"it answers worse than it did: tasks that used to pass fail, as an e-detector says against"
            f" {self._reference:.3f}, which it was shown to reach (average run length {self._average_run_length:,.0f}"
            " draws at least)"
        )

    def _to(self, state: State, why: str) -> Change:
        low, high = self.bounds()
        latest = list(reversed(self._failed))
        failing = sorted(latest, key=lambda task_id: not self._failed[task_id])[:_FAILING]  # that used to pass first
        mean = "nothing drawn" if self.mean is None else f"{self.mean:.3f} over {self.draws} draws"
        reason = f"{self.gate}: {why} ({mean})"
        change = Change(self.state, state, reason, low, high, self.draws, tuple(failing))
        self.follow(state)
        return change
