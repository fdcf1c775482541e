"""What is known at any time of a mean, by values in [0, 1] that are drawn independently of each other.

Source: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal
Statistical Society B 86 (2024), 1-27, section 4, with bets that are fixed beforehand and whose capitals are averaged;
J. Ville, "Etude critique de la notion de collectif" (1939), for all times at once. As bets are fixed, the order of
values makes no difference: how often each came is enough.
"""

from collections.abc import Callable, Mapping
from math import exp, inf, log

Values = Mapping[float, int]
"""Values in [0, 1], each with how often it was drawn."""

BETS = (1 / 8, 1 / 4, 1 / 2, 1, 2)
BOLDEST = 0.9
"""The largest share of a capital at stake."""
BISECTIONS = 30


def log_capital(values: Values, mean: float) -> float:
    """The logarithm of what they have who bet, from 1 on, that the mean is above ``mean``.

    If it is not, it ever reaches log(1 / risk) with probability ``risk`` at most. It falls as ``mean`` grows.
    """
    if mean <= 0:
        return inf if any(value > 0 for value in values) else 0.0
    ends = []
    for bet in BETS:
        stake = bet if bet * mean < BOLDEST else BOLDEST / mean
        ends.append(sum(count * log(1 + stake * (value - mean)) for value, count in values.items()))
    most = max(ends)
    return most + log(sum(exp(end - most) for end in ends) / len(ends))


def shows_above(values: Values, mean: float, risk: float) -> bool:
    """Whether the mean is shown to be above ``mean``."""
    return log_capital(values, mean) >= log(1 / risk)


def shows_below(values: Values, mean: float, risk: float) -> bool:
    return shows_above(mirrored(values), 1 - mean, risk)


def lower(values: Values, risk: float) -> float:
    """The greatest mean that is refuted, all smaller ones being so, too; 0 if none is."""
    return _last(lambda mean: shows_above(values, mean, risk))


def upper(values: Values, risk: float) -> float:
    return 1 - lower(mirrored(values), risk)


def mirrored(values: Values) -> dict[float, int]:
    """The same of failures."""
    return {1 - value: count for value, count in values.items()}


def _last(refuted: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low
