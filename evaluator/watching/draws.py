"""Which tasks are asked next: one of each language, drawn with replacement, so that each draw says the same of all."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evaluator.suites.suite import Suite, Task


@dataclass(frozen=True, slots=True)
class Draws:
    """Draw ``number`` is the same whenever it is made: by the seed, the suite and the language alone."""

    suite: Suite
    seed: int

    def of(self, number: int, languages: Sequence[str]) -> Iterator[Task]:
        by_language = self.by_language()
        for language in languages:
            rng = random.Random(f"{self.seed} {self.suite.hash} {language} {number}")  # noqa: S311
            yield rng.choice(by_language[language])

    def by_language(self) -> Mapping[str, Sequence[Task]]:
        found: dict[str, list[Task]] = {}
        for task in self.suite.tasks:
            found.setdefault(task.language, []).append(task)
        return found
