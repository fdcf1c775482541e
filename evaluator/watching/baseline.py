"""What is expected of each task by what was drawn of it before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum


@dataclass(slots=True)
class _Totals:
    """Of a language; sums over its tasks: ``of_passes`` of passes / (draws + 1), ``of_mean`` of 1 / (draws + 1)."""

    passes: int = 0
    draws: int = 0
    of_passes: float = 0.0
    of_mean: float = 0.0

    @property
    def mean(self) -> float:
        """What is expected of a task that was never drawn."""
        return (self.passes + 1) / (self.draws + 2)


class Baseline:
    """Of a suite's tasks by language. A task that was never drawn is expected to be like the others of its language."""

    def __init__(self, tasks: Mapping[str, Sequence[str]]) -> None:
        total = sum(map(len, tasks.values()))
        self._tasks = tasks
        self.shares = {language: len(ids) / total for language, ids in tasks.items()}
        self._drawn = {task_id: [0, 0] for ids in tasks.values() for task_id in ids}
        self._totals = {language: _Totals(of_mean=len(ids)) for language, ids in tasks.items()}

    def add(self, language: str, task_id: str, passed: bool) -> None:
        counts, totals = self._drawn[task_id], self._totals[language]
        before = counts[0] / (counts[1] + 1), 1 / (counts[1] + 1)
        counts[0] += passed
        counts[1] += 1
        totals.passes += passed
        totals.draws += 1
        totals.of_passes += counts[0] / (counts[1] + 1) - before[0]
        totals.of_mean += 1 / (counts[1] + 1) - before[1]

    def expected(self, language: str, task_id: str) -> float:
        passes, drawn = self._drawn[task_id]
        return (passes + self._totals[language].mean) / (drawn + 1)

    def mean(self) -> float:
        """Of ``expected`` over all tasks."""
        return fsum(
            self.shares[language] * (totals.of_passes + totals.mean * totals.of_mean) / len(self._tasks[language])
            for language, totals in self._totals.items()
        )

    def passed_before(self, task_id: str) -> bool:
        return self._drawn[task_id][0] > 0
