"""Two runs task by task: which tasks flipped, and whether chance alone would flip that many to one side."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

MCNEMAR = (
    "exact McNemar test",
    'Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",'
    " Psychometrika 12 (1947) 153-157, with the binomial distribution itself instead of its chi-squared approximation",
)
SIGN = (
    "exact sign test over tasks",
    'W. J. Dixon, A. M. Mood, "The statistical sign test", Journal of the American Statistical Association 41 (1946)'
    " 557-566",
)


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One task in one run: ``scored`` repetitions, at least one, of which ``passes`` passed."""

    scored: int
    passes: int

    @property
    def x(self) -> float:
        return self.passes / self.scored


@dataclass(frozen=True, slots=True)
class Flip:
    """A task whose x is another one after than before."""

    task_id: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Paired:
    """``p_value`` is two-sided: how often chance would flip at least that unequally if neither run were better."""

    test: str
    source: str
    tasks: int
    """With a score on both sides."""
    unpaired: int
    """Tasks that lack a score on one side or both; left out."""
    better: tuple[Flip, ...]
    worse: tuple[Flip, ...]
    p_value: float

    @property
    def alike(self) -> int:
        return self.tasks - len(self.better) - len(self.worse)

    def is_worse(self, level: float) -> bool:
        return len(self.worse) > len(self.better) and self.p_value < level


def pair(before: Mapping[str, TaskScore], after: Mapping[str, TaskScore], asked: int) -> Paired:
    """``asked``: how many tasks both runs asked. One sample a task is McNemar's case; more are a sign test on x."""
    both = [task for task in before if task in after]
    flips = [Flip(task, before[task].x, after[task].x) for task in both if before[task].x != after[task].x]
    better = tuple(flip for flip in flips if flip.after > flip.before)
    worse = tuple(flip for flip in flips if flip.after < flip.before)
    single = all(side[task].scored == 1 for task in both for side in (before, after))
    test, source = MCNEMAR if single else SIGN
    return Paired(test, source, len(both), asked - len(both), better, worse, two_sided(len(better), len(worse)))


def two_sided(one: int, other: int) -> float:
    """Exact probability of a split at least as unequal among ``one + other`` fair coins; 1 when there is none."""
    n = one + other
    tail = sum(math.comb(n, k) for k in range(min(one, other) + 1))
    return min(1.0, 2 * tail / (1 << n))
