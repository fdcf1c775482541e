"""Intervals for a proportion measured over tasks.

The unit is a task: x in [0, 1] is its passes divided by its repetitions, and ``mean`` is the mean of x over ``n``
tasks. Repetitions of one task are not independent, so they are averaged within the task and never counted in ``n``. A
variable in [0, 1] with mean m has a variance of at most m(1 - m), reached only by one that is always 0 or 1. The score
interval uses m(1 - m), so fractional x only make it wider than the data ask for: it errs on the side of refusing.

Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
Statistical Association 22 (1927), 209-212.
"""

from math import sqrt
from statistics import NormalDist


def wilson(mean: float, n: int, confidence: float) -> tuple[float, float]:
    """The two-sided score interval. Without tasks nothing is known: (0, 1).

    Raises ValueError unless 0 <= mean <= 1, n >= 0 and 0 < confidence < 1.
    """
    return _score_interval(mean, n, _quantile((1 + confidence) / 2))


def wilson_lower(mean: float, n: int, confidence: float) -> float:
    """The one-sided lower bound, which is what gates use: at 0.95, 164 tasks at least 0.80 need 140 passes.

    Raises ValueError like :func:`wilson`.
    """
    return _score_interval(mean, n, _quantile(confidence))[0]


def _quantile(probability: float) -> float:
    if not 0 < probability < 1:
        raise ValueError(f"a confidence lies between 0 and 1, exclusive; {probability} does not")
    return NormalDist().inv_cdf(probability)


def _score_interval(mean: float, n: int, z: float) -> tuple[float, float]:
    if not 0 <= mean <= 1:
        raise ValueError(f"a mean of passes lies between 0 and 1; {mean} does not")
    if n < 0:
        raise ValueError(f"a number of tasks is not negative; {n} is")
    if n == 0:
        return 0.0, 1.0
    scale = 1 + z * z / n
    centre = (mean + z * z / (2 * n)) / scale
    half = z / scale * sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    # At the ends rounding can leave the mean just outside its own interval.
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))
