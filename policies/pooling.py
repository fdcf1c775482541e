"""What the languages of a suite say of each other: partial pooling, for languages with few tasks.

A language's mean of passes is put on the arcsine scale, where its variance is known, and pulled towards the mean over
languages: the more, the fewer tasks it has and the less languages differ beyond chance. The result is nearer to the
truth than the language's own mean, and its bound is higher, on average over languages. In one language that is unlike
the others it may be wrong more often, so the bound is never above the language's own one at a lower confidence.
docs/statistics.md says how well that does, docs/decisions/010 why gates must ask for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import asin, pi, sin, sqrt
from statistics import NormalDist

from policies.correctness import Correctness

FEWEST = 4
"""Of fewer languages nothing can be told about how much languages differ."""
RISK_OF_ONE = 4
"""In any one language the bound's risk is at most so many times that asked for on average over languages."""
_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A normal estimate pulled towards those of its group."""

    estimate: float
    deviation: float
    """Its standard deviation, with what is not known of the group."""
    shrinkage: float
    """0: it stands for itself; 1: it is the group's mean."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """One language among ``languages``. Bounds are for its mean pass probability."""

    own: Correctness
    shrunk: Shrunk
    languages: int

    @property
    def mean(self) -> float:
        return _unscaled(self.shrunk.estimate)

    @property
    def promise(self) -> str:
        """What the bound's confidence is about."""
        return f" on average over {self.languages} languages"

    def lower(self, confidence: float) -> float:
        """One-sided. Right with ``confidence`` on average over languages; in each by itself with the confidence that
        leaves ``RISK_OF_ONE`` times the risk, or with one half, if that is more.
        """
        z = NormalDist().inv_cdf(confidence)
        half_a_task = (1 - self.shrunk.shrinkage) / (2 * self.own.tasks)  # passes are whole: a continuity correction
        on_average = max(0.0, _unscaled(self.shrunk.estimate - z * self.shrunk.deviation) - half_a_task)
        return min(on_average, self.own.lower(max(0.5, 1 - RISK_OF_ONE * (1 - confidence))))


def pool(languages: Mapping[str, Correctness]) -> dict[str, Pooled]:
    """Of those with scored tasks; none when they are fewer than ``FEWEST``.

    A task's x, be it of one sample or several, varies at most as much as a coin with its mean, and tasks of unequal
    difficulty less than equal ones: taking the tasks as coins with one mean overstates the variance, if anything.
    """
    known = {name: (own.mean, own) for name, own in languages.items() if own.mean is not None and own.tasks}
    if len(known) < FEWEST:
        return {}
    estimates = tuple(_scaled(mean, own.tasks) for mean, own in known.values())
    variances = tuple(1 / (4 * own.tasks + 2) for _, own in known.values())
    shrunk = shrink(estimates, variances)
    return {name: Pooled(own, one, len(known)) for (name, (_, own)), one in zip(known.items(), shrunk, strict=True)}


@lru_cache(maxsize=1024)
def shrink(estimates: tuple[float, ...], variances: tuple[float, ...]) -> tuple[Shrunk, ...]:
    """Each of at least ``FEWEST`` independent normal estimates with known variances, by what all of them show.

    Source: C. N. Morris, "Parametric empirical Bayes inference: theory and applications", Journal of the American
    Statistical Association 78 (1983), 47-55, section 5: the case of unequal variances, with one common mean.
    """
    k = len(estimates)
    between = _variance_between(estimates, variances)
    weights = [1 / (variance + between) for variance in variances]
    total = sum(weights)
    centre = _mean(estimates, weights)
    typical = _mean(variances, weights)
    shrunk = []
    for y, variance, weight in zip(estimates, variances, weights, strict=True):
        b = (k - 3) / (k - 1) * variance * weight
        unsure = 2 / (k - 3) * b * b * (typical + between) * weight
        spread = variance * (1 - (1 - weight / total) * b) + unsure * (y - centre) ** 2
        shrunk.append(Shrunk(y + b * (centre - y), sqrt(spread), b))
    return tuple(shrunk)


def _variance_between(estimates: Sequence[float], variances: Sequence[float]) -> float:
    """How much the true values differ, as a variance; not below 0. Morris' equation, iterated until it stands still."""
    k = len(estimates)
    between = 0.0
    for _ in range(_ROUNDS):
        weights = [1 / (variance + between) for variance in variances]
        centre = _mean(estimates, weights)
        excess = [k / (k - 1) * (y - centre) ** 2 - variance for y, variance in zip(estimates, variances, strict=True)]
        before, between = between, max(0.0, _mean(excess, weights))
        if abs(between - before) <= 1e-9:
            break
    return between


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _scaled(mean: float, tasks: int) -> float:
    """Anscombe's arcsine, whose variance is 1 / (4 n + 2) whatever the mean: Biometrika 35 (1948), 246-254."""
    return asin(sqrt((mean * tasks + 3 / 8) / (tasks + 3 / 4)))


def _unscaled(angle: float) -> float:
    return sin(min(max(angle, 0.0), pi / 2)) ** 2
