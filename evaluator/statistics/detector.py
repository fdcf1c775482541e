"""Whether a mean has fallen below a reference since some moment that nobody knows.

Source: J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New
England Journal of Statistics in Data Science 2 (2024), 229-260, section 2; this is the e-detector of Shiryaev and
Roberts' kind. A bettor begins at each draw, with 1, and bets that the mean is below the reference from then on. As long
as it is not, none of them gains on average, so the sum of what they have grows by 1 a draw at most. Whoever waits for
it to reach a number is told wrongly after that many draws at the earliest, on average, and within N draws with a chance
of N by that number at most (Doob's inequality). The mean of several such sums is one of them.
"""

from collections.abc import Sequence

PLAIN = (0.1, 0.3)
PAIRED = (0.4, 0.9)
"""Shares of the capital that may be lost in the worst case, of bettors on the value alone, and on the difference."""


class Detector:
    """``average_run_length``: draws until it fires though nothing has fallen, at least, on average."""

    def __init__(self, average_run_length: float) -> None:
        self.average_run_length = average_run_length
        self._sums = [0.0] * (len(PLAIN) + len(PAIRED))

    @property
    def level(self) -> float:
        """It fires when this reaches ``average_run_length``."""
        return sum(self._sums) / len(self._sums)

    @property
    def has_fired(self) -> bool:
        return self.level >= self.average_run_length

    def take(self, value: float, expected: float, baseline: float, reference: float) -> None:
        """A value in [0, 1] of a unit of which the baseline expects ``expected``, and of all units ``baseline``, their
        mean. Value - expected + baseline has the value's mean, and varies less where units differ in difficulty. All
        but ``value`` are known beforehand, the unit being drawn at random; ``reference`` < 1.
        """
        factors = [*_factors(PLAIN, value, 1.0, reference)]
        factors += _factors(PAIRED, value - expected + baseline, 1.0 + baseline, reference)
        self._sums = [(total + 1) * factor for total, factor in zip(self._sums, factors, strict=True)]


def _factors(shares: Sequence[float], figure: float, most: float, reference: float) -> list[float]:
    """``most``: what the figure can be at most, at which a bettor loses its share."""
    return [1 + share * (reference - figure) / (most - reference) for share in shares]
