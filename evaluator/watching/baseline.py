"""What is expected of each task by what was drawn of it before."""

from collections.abc import Mapping, Sequence
from math import fsum


class Baseline:
    """Of a suite's tasks by language. A task that was never drawn is expected to be like the others of its language."""

    def __init__(self, tasks: Mapping[str, Sequence[str]]) -> None:
        total = sum(map(len, tasks.values()))
        self._tasks = tasks
        self.shares = {language: len(ids) / total for language, ids in tasks.items()}
        self._drawn = {task_id: [0, 0] for ids in tasks.values() for task_id in ids}
        self._totals = {language: [0, 0] for language in tasks}

    def add(self, language: str, task_id: str, passed: bool) -> None:
        for counts in (self._drawn[task_id], self._totals[language]):
            counts[0] += passed
            counts[1] += 1

    def expected(self, language: str, task_id: str) -> float:
        passes, drawn = self._drawn[task_id]
        return (passes + self._language_mean(language)) / (drawn + 1)

    def mean(self) -> float:
        """Of ``expected`` over all tasks."""
        return fsum(
            self.shares[language] * fsum(self.expected(language, task_id) for task_id in ids) / len(ids)
            for language, ids in self._tasks.items()
        )

    def passed_before(self, task_id: str) -> bool:
        return self._drawn[task_id][0] > 0

    def _language_mean(self, language: str) -> float:
        passes, drawn = self._totals[language]
        return (passes + 1) / (drawn + 2)
