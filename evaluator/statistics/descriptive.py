"""Quantiles and pass@k."""

import math
from collections.abc import Iterable, Sequence


def quantile(values: Iterable[float], q: float) -> float | None:
    """The ``q`` quantile (0..1), linear between order statistics; None of nothing.

    Hyndman and Fan (1996) definition 7: position ``(n - 1) q`` among the sorted values, the default of numpy, R and
    Excel. With few values a p99 lies close to the maximum, and is no more than that.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"a quantile lies between 0 and 1, not at {q}")
    ordered = sorted(values)
    if not ordered:
        return None
    position = (len(ordered) - 1) * q
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def pass_at_k(samples: int, passes: int, k: int) -> float:
    """The unbiased chance that at least one of ``k`` drawn samples passes: ``1 - C(n - c, k) / C(n, k)``.

    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1.
    """
    if not 0 < k <= samples or not 0 <= passes <= samples:
        raise ValueError(f"pass@{k} of {passes} passes in {samples} samples is not defined")
    return 1 - math.comb(samples - passes, k) / math.comb(samples, k)


def mean_pass_at_k(counts: Sequence[tuple[int, int]], k: int) -> float | None:
    """The mean of pass@k over tasks, each given as (samples, passes).

    None when there is no task, or when one of them has fewer than ``k`` samples: leaving it out would bias the mean.
    """
    if not counts or any(samples < k for samples, _ in counts):
        return None
    return math.fsum(pass_at_k(samples, passes, k) for samples, passes in counts) / len(counts)
