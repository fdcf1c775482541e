"""Two runs task by task: which tasks flipped, and whether chance alone would flip that many to one side."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from evaluator.statistics.bootstrap import interval, two_sided_p
from evaluator.statistics.holm import holm

MCNEMAR = (
    "exact McNemar test",
    'Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",'
    " Psychometrika 12 (1947) 153-157, with the binomial distribution itself instead of its chi-squared approximation",
)
BOOTSTRAP = (
    "paired cluster bootstrap",
    "A. C. Cameron, J. B. Gelbach, D. L. Miller, Review of Economics and Statistics 90 (2008) 414-427: random signs for"
    " what each source problem gained",
)
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One task in one run: ``scored`` repetitions, at least one, of which ``passes`` passed."""

    scored: int
    passes: int
    problem: str | None = None
    """The source problem that it shares with tasks in other languages; None: it stands for itself."""

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
    difference: float | None = None
    """Of pass@1, over the tasks paired; None without any."""
    interval: tuple[float, float] | None = None
    """Of the difference, at 95%, by drawing source problems."""
    p_holm: float | None = None
    """``p_value`` as one of several languages': see ``evaluator.statistics.holm``."""
    languages: int = 1

    @property
    def alike(self) -> int:
        return self.tasks - len(self.better) - len(self.worse)

    def is_worse(self, level: float) -> bool:
        p = self.p_value if self.p_holm is None else self.p_holm
        return (self.difference or 0.0) < 0 and p < level


def pair(before: Mapping[str, TaskScore], after: Mapping[str, TaskScore], asked: int) -> Paired:
    """``asked``: how many tasks both runs asked. One sample a task is McNemar's case, where tasks stand for themselves;

    else what each source problem gained is what counts.
    """
    both = [task for task in before if task in after]
    flips = [Flip(task, before[task].x, after[task].x) for task in both if before[task].x != after[task].x]
    better = tuple(flip for flip in flips if flip.after > flip.before)
    worse = tuple(flip for flip in flips if flip.after < flip.before)
    clusters = _clusters(before, after, both)
    single = all(side[task].scored == 1 for task in both for side in (before, after)) and len(clusters) == len(both)
    p_value = two_sided(len(better), len(worse)) if single else two_sided_p(clusters)
    test, source = MCNEMAR if single else BOOTSTRAP
    difference = math.fsum(gain for gain, _ in clusters) / len(both) if both else None
    bounds = interval(clusters, CONFIDENCE)
    return Paired(test, source, len(both), asked - len(both), better, worse, p_value, difference, bounds)


def holm_over_languages(paired: Sequence[Paired]) -> list[Paired]:
    """The same suite's languages, each judged as one of several."""
    if len(paired) < 2:
        return list(paired)
    adjusted = holm([each.p_value for each in paired])
    return [replace(each, p_holm=p, languages=len(paired)) for each, p in zip(paired, adjusted, strict=True)]


def _clusters(
    before: Mapping[str, TaskScore], after: Mapping[str, TaskScore], tasks: Iterable[str]
) -> list[tuple[float, int]]:
    gains: dict[str, list[Fraction]] = {}
    for task in tasks:
        one, other = before[task], after[task]
        gain = Fraction(other.passes, other.scored) - Fraction(one.passes, one.scored)
        gains.setdefault(one.problem or task, []).append(gain)
    return [(float(sum(found)), len(found)) for found in gains.values()]


def two_sided(one: int, other: int) -> float:
    """Exact probability of a split at least as unequal among ``one + other`` fair coins; 1 when there is none."""
    n = one + other
    ways, tail = 1, 0
    for k in range(min(one, other) + 1):
        tail += ways
        ways = ways * (n - k) // (k + 1)
    return min(1.0, 2 * tail / (1 << n))
