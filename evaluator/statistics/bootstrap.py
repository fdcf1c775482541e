"""Differences between pairs, by clusters: of each source problem, what its tasks gained, and how many they are."""

import random
from collections import Counter
from collections.abc import Sequence
from math import fsum

from evaluator.statistics.descriptive import quantile

Cluster = tuple[float, int]
"""The sum of its tasks' differences, and the number of its tasks."""

_DRAWS = 10_000
_MEMBERS = 2_000_000
"""At most about so many clusters are drawn for an interval, in at least 1,000 resamples: some seconds."""
_ROUNDING = 1e-6


def two_sided_p(clusters: Sequence[Cluster], seed: int = 0) -> float:
    """How often differences whose signs are up to chance, cluster by cluster, add up to at least as much.

    The bootstrap that imposes "no difference": a cluster keeps its size and gets a random sign. Where all differences
    are equally large this is McNemar's exact test, but for the draws.

    Source: A. C. Cameron, J. B. Gelbach, D. L. Miller, "Bootstrap-based improvements for inference with clustered
    errors", Review of Economics and Statistics 90 (2008), 414-427, with Rademacher weights and the null imposed; one is
    added to both counts as in A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application" (1997), equation
    4.11.
    """
    rng = random.Random(seed)  # noqa: S311
    gains = [round(gain, 9) for gain, _ in clusters if gain]
    observed = abs(fsum(gains)) - _ROUNDING
    sizes = Counter(map(abs, gains))
    extreme = 0
    for _ in range(_DRAWS):
        # Of n signs, as many are plus as n random bits are set.
        total = sum(size * (2 * rng.getrandbits(count).bit_count() - count) for size, count in sizes.items())
        extreme += abs(total) >= observed
    return (extreme + 1) / (_DRAWS + 1)


def interval(clusters: Sequence[Cluster], confidence: float, seed: int = 0) -> tuple[float, float] | None:
    """Of the mean difference a task; None of fewer than two clusters, which cannot tell how they vary.

    Source: the percentile interval of B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter
    13, with whole clusters drawn: C. A. Field, A. H. Welsh, "Bootstrapping clustered data", Journal of the Royal
    Statistical Society B 69 (2007), 369-390.
    """
    if len(clusters) < 2:
        return None
    rng = random.Random(seed)  # noqa: S311
    kinds = Counter(clusters)
    means = []
    for _ in range(min(_DRAWS, max(1_000, _MEMBERS // len(clusters)))):
        drawn = rng.choices(list(kinds), list(kinds.values()), k=len(clusters))
        means.append(fsum(gain for gain, _ in drawn) / sum(tasks for _, tasks in drawn))
    low, high = (quantile(means, q) for q in ((1 - confidence) / 2, (1 + confidence) / 2))
    assert low is not None and high is not None
    return low, high
