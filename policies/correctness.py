"""What a measurement proves about the suite's mean pass probability, by the bound that fits how it was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from policies.bounds import Values, betting_lower, chernoff_lower, exact_lower, wilson
from policies.scorecard import Scorecard, Unit


@dataclass(frozen=True, slots=True)
class Correctness:
    """``mean`` of x over ``tasks``, which is None without any; ``units`` may be empty, when they are not told."""

    mean: float | None
    tasks: int
    once: bool
    """Every task was asked once: x is 0 or 1."""
    units: Sequence[Unit] = ()

    @classmethod
    def of(cls, card: Scorecard) -> "Correctness":
        return cls(card.pass_at_1, card.tasks, card.repetitions == 1, card.units)

    @property
    def method(self) -> Literal["wilson", "betting"]:
        """What :meth:`interval` is."""
        return "wilson" if self._is_binary or not self.units else "betting"

    def lower(self, confidence: float) -> float:
        """The one-sided bound that gates use; 0 when nothing was scored.

        One sample a task is the exact binomial case. Otherwise it is betting over units, so that the tasks that one
        source problem has in several languages count together; or, where units are not told, a bound by the mean alone.
        """
        if self.mean is None:
            return 0.0
        if self._is_binary:
            return exact_lower(self.mean * self.tasks, self.tasks, confidence)
        if not self.units:
            return chernoff_lower(self.mean, self.tasks, confidence)
        values, scale = self._values()
        return scale * betting_lower(values, confidence)

    def upper(self, confidence: float) -> float:
        """The one-sided bound from above, by the same methods: what the failures prove; 1 when nothing was scored."""
        if self.mean is None or not self.tasks:
            return 1.0
        if self._is_binary:
            return 1 - exact_lower((1 - self.mean) * self.tasks, self.tasks, confidence)
        if not self.units:
            return 1 - chernoff_lower(1 - self.mean, self.tasks, confidence)
        values, scale = self._values()
        return min(1.0, scale * (1 - betting_lower([(1 - x, units) for x, units in values], confidence)))

    def interval(self, confidence: float) -> tuple[float, float] | None:
        """Two-sided, for showing: Wilson's for one sample a task, else betting's; None when nothing was scored, or
        nobody told how many tasks were.
        """
        if self.mean is None or not self.tasks:
            return None
        if self.method == "wilson":
            return wilson(self.mean, self.tasks, confidence)
        values, scale = self._values()
        each_side = (1 + confidence) / 2
        high = 1 - betting_lower([(1 - x, units) for x, units in values], each_side)
        return scale * betting_lower(values, each_side), min(1.0, scale * high)

    @property
    def _is_binary(self) -> bool:
        return self.once and all(unit.tasks == 1 for unit in self.units)

    def _values(self) -> tuple[Values, float]:
        """Units' sums of x over the largest unit's number of tasks; and what turns their mean into that over tasks."""
        largest = max(unit.tasks for unit in self.units)
        number = sum(unit.count for unit in self.units)
        return [(unit.x / largest, unit.count) for unit in self.units], number * largest / self.tasks
