"""What is known of the score that a whole replay would have while only some of its tasks were asked, at any time.

Source: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting", Journal of the Royal
Statistical Society B 86 (2024), 1-27, section 5 (sampling without replacement), with bets that are fixed beforehand; J.
Ville, "Etude critique de la notion de collectif" (1939), for all times at once. Tasks come in the blocks of
``strata.stratified``; docs/statistics.md has the proof that these change nothing.
"""

from collections.abc import Callable, Sequence
from math import inf, log

Blocks = Sequence[Sequence[float]]
"""Values in [0, 1], one a task, in the order and the blocks in which tasks were drawn."""

_BETS = (1 / 8, 1 / 4, 1 / 2, 1, 2)
_BOLDEST = 0.75
"""The largest share of a capital at stake: what is lost entirely is never won back."""
_BISECTIONS = 30
_ROUNDING = 1e-9
"""Less than this, a sum of thirds may miss another by."""


def log_capital(blocks: Blocks, tasks: int, total: float) -> float:
    """The logarithm of what they have who bet, from 1 on, that all ``tasks`` values add up to more than ``total``.

    If they do not, it ever reaches log(1 / alpha) with probability alpha at most. Infinite when the values drawn alone
    exceed ``total``. It falls as ``total`` grows. Each of several bettors stakes an amount of its own on every value,
    at odds that are fair if what was not drawn has the mean that ``total`` leaves to it; the mean of their capitals
    counts.
    """
    capitals = [1.0] * len(_BETS)
    left, scale = tasks, 0.0
    for block in blocks:
        if total < -_ROUNDING:
            return inf
        fair = total / left
        for number, bet in enumerate(_BETS):
            stake = bet if bet * fair < _BOLDEST else _BOLDEST / fair
            for x in block:
                capitals[number] *= 1 + stake * (x - fair)
        left -= len(block)
        total -= sum(block)
        if not 1e-200 < (most := max(capitals)) < 1e200:  # before floats run out; the blocks are not that long
            capitals = [capital / most for capital in capitals]
            scale += log(most)
    return inf if total < -_ROUNDING else scale + log(sum(capitals) / len(capitals))


def interval(blocks: Blocks, tasks: int, confidence: float) -> tuple[float, float]:
    """Where the mean of all ``tasks`` values lies, by those that were drawn: true at all times at once."""
    wanted = log(2 / (1 - confidence))
    least = sum(map(sum, blocks))
    most = least + tasks - sum(map(len, blocks))
    mirrored = [[1 - x for x in block] for block in blocks]
    low = _last(lambda total: log_capital(blocks, tasks, total) >= wanted, tasks)
    high = tasks - _last(lambda total: log_capital(mirrored, tasks, total) >= wanted, tasks)
    # With the risk that remains bets can win against what turns out to be true.
    return min(max(low, least), most) / tasks, min(max(high, least), most) / tasks


def _last(refuted: Callable[[float], bool], tasks: int) -> float:
    """The greatest total that is refuted, when all smaller ones are, too; 0 if none is."""
    low, high = 0.0, float(tasks)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low
