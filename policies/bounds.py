"""Bounds for the mean of what lies in [0, 1], measured over units that are independent of each other.

A unit is a task, or a source problem with its tasks in several languages; its value is a mean of passes. Nothing here
asks units to be alike: each may have a mean of its own (a task's difficulty is fixed), and the bounds are for the mean
of those means, which is the suite's mean pass probability. They hold as well for units drawn from a population.

docs/statistics.md says which bound applies when, and shows their coverage.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from math import exp, fsum, inf, lgamma, log, log1p, sqrt
from statistics import NormalDist

from policies.remembered import remembered

Values = Sequence[tuple[float, int]]
"""Values in [0, 1], each with the number of units that have it."""

_VARIANCES = (1 / 4, 1 / 8, 1 / 16, 1 / 32)
"""What the bets of ``betting_lower`` are made for: the largest variance there is in [0, 1], and smaller ones."""
_BISECTIONS = 50


def wilson(mean: float, n: int, confidence: float) -> tuple[float, float]:
    """The two-sided score interval, for showing one sample a task. Without tasks nothing is known: (0, 1).

    Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the
    American Statistical Association 22 (1927), 209-212. Raises ValueError unless 0 <= mean <= 1, n >= 0 and
    0 < confidence < 1.
    """
    _check(mean, n, confidence)
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    scale = 1 + z * z / n
    centre = (mean + z * z / (2 * n)) / scale
    half = z / scale * sqrt(mean * (1 - mean) / n + z * z / (4 * n * n))
    # At the ends rounding can leave the mean just outside its own interval.
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))


@remembered
def exact_lower(passes: float, n: int, confidence: float) -> float:
    """The one-sided bound for one sample a unit: at 0.95, 164 tasks at least 0.80 need 140 passes.

    Source: C. J. Clopper, E. S. Pearson, Biometrika 26 (1934), 404-413: the m at which n trials give so many passes or
    more with probability 1 - confidence. Unequal difficulties only make that rarer, when passes >= n m + 1: W.
    Hoeffding, "On the distribution of the number of successes in independent trials", Annals of Mathematical
    Statistics 27 (1956), 713-721, theorem 4. Raises ValueError like :func:`wilson`.
    """
    _check(passes / n if n else 0.0, n, confidence)
    if passes <= 0:
        return 0.0
    return _last(lambda m: exact_refutes(passes, n, m, confidence), passes / n)


def exact_refutes(passes: float, n: int, m: float, confidence: float) -> bool:
    """Whether ``exact_lower`` is at least ``m``."""
    return passes > 0 and incomplete_beta(m, passes, n - passes + 1) <= 1 - confidence


@remembered
def betting_lower(values: Values, confidence: float) -> float:
    """The one-sided bound for values anywhere in [0, 1]: the least mean that betting against it does not refute.

    Whoever bets the share b <= 1/m of a capital on each value's being above m ends with the product of 1 + b (x - m).
    If the mean is m or less, that is expected to be at most 1, so it reaches 1 / (1 - confidence) with probability
    1 - confidence at most; so does the mean of four such capitals, whose bets fit four variances.

    Source: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal
    Statistical Society B 86 (2024), 1-27, section 4, with bets that are fixed beforehand. Then the expectation is the
    product of 1 + b (p - m) over the units' own means p, whatever their order, which is at most 1 by the inequality of
    arithmetic and geometric means. Raises ValueError like :func:`wilson`.
    """
    n = sum(units for _, units in values)
    mean = fsum(x * units for x, units in values) / n if n else 0.0
    _check(mean, n, confidence)
    if any(not 0 <= x <= 1 for x, _ in values):
        raise ValueError("values lie between 0 and 1")
    # Capital falls as m grows: each factor does, for a bet that is min(b, 1/m).
    return _last(lambda m: betting_refutes(values, m, confidence), mean)


def betting_refutes(values: Values, m: float, confidence: float) -> bool:
    """Whether ``betting_lower`` is at least ``m`` > 0."""
    n = sum(units for _, units in values)
    wanted = log(1 / (1 - confidence))
    bets = [sqrt(2 * wanted / (n * variance)) for variance in _VARIANCES]
    stakes = [bet if bet * m < 1 else 1 / m for bet in bets]
    ends = [fsum(units * _log(1 + stake * (x - m)) for x, units in values) for stake in stakes]
    most = max(ends)
    return most > -inf and most + log(fsum(exp(end - most) for end in ends) / len(ends)) >= wanted


@remembered
def chernoff_lower(mean: float, n: int, confidence: float) -> float:
    """The one-sided bound when only the mean of n values in [0, 1] is known.

    Source: W. Hoeffding, "Probability inequalities for sums of bounded random variables", Journal of the American
    Statistical Association 58 (1963), 13-30, theorem 1, inequality 2.1. Raises ValueError like :func:`wilson`.
    """
    _check(mean, n, confidence)
    if n == 0 or mean == 0:
        return 0.0
    return _last(lambda m: n * divergence(mean, m) >= log(1 / (1 - confidence)), mean)


def divergence(x: float, m: float) -> float:
    """Kullback and Leibler's, in nats, of a coin that falls on heads with probability x from one with m."""
    pairs = [(share, other) for share, other in ((x, m), (1 - x, 1 - m)) if share > 0]
    return sum(share * log(share / other) if other > 0 else inf for share, other in pairs)


def incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b): the chance of a or more passes in a + b - 1 trials.

    Source: the continued fraction 8.17.22 of NIST's Digital Library of Mathematical Functions.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly, its mirror image does not
        return 1 - incomplete_beta(1 - x, b, a)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    return front * _fraction(_beta_terms(x, a, b))


def _beta_terms(x: float, a: float, b: float) -> Iterable[float]:
    for m in count():
        if m:
            yield m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))


def _fraction(terms: Iterable[float]) -> float:
    """1 / (1 + t1 / (1 + t2 / (1 + ...))) by Lentz's algorithm, until it stands still."""
    tiny = 1e-300
    value, c, d = 1.0, 1.0, 0.0
    for term in terms:
        d = 1 / ((1 + term * d) or tiny)
        c = (1 + term / c) or tiny
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return 1 / value


def _log(value: float) -> float:
    return log(value) if value > 0 else -inf


def _last(refuted: Callable[[float], bool], above: float) -> float:
    """The greatest m in (0, above) that is refuted, when all smaller ones are, too; 0 if none is."""
    low, high = 0.0, above
    for _ in range(_BISECTIONS):
        if (middle := (low + high) / 2) == 0:
            break
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


def _check(mean: float, n: int, confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence lies between 0 and 1, exclusive; {confidence} does not")
    if not 0 <= mean <= 1:
        raise ValueError(f"a mean of passes lies between 0 and 1; {mean} does not")
    if n < 0:
        raise ValueError(f"a number of tasks is not negative; {n} is")
