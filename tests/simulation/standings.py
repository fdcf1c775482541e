"""Many standings at once: what ``evaluator.watching.standing`` decides, in numpy, for one language.

A test holds the two together, draw by draw.
"""

import numpy as np
from numpy.typing import NDArray

from evaluator.statistics.detector import PAIRED, PLAIN
from evaluator.statistics.drawn import BETS, BISECTIONS, BOLDEST
from evaluator.watching.standing import AVERAGE_RUN_LENGTH, HIGHEST, Gate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NONE, ADMITTED, PROBATION, DEMOTED = range(4)


def log_capital(draws: Ints, passes: Ints, mean: Floats | float) -> Floats:
    """As ``drawn.log_capital`` has it of so many passes in so many draws; elementwise."""
    mean = np.asarray(mean, dtype=float)
    stakes = np.minimum(np.array(BETS)[:, None], BOLDEST / mean)
    ends = passes * np.log1p(stakes * (1 - mean)) + (draws - passes) * np.log1p(-stakes * mean)
    most = ends.max(axis=0)
    return np.asarray(most + np.log(np.exp(ends - most).mean(axis=0)))


def lower(draws: Ints, passes: Ints, risk: float) -> Floats:
    low, high = np.zeros(len(draws)), np.ones(len(draws))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        refuted = log_capital(draws, passes, middle) >= np.log(1 / risk)
        low, high = np.where(refuted, middle, low), np.where(refuted, high, middle)
    return low


class Standings:
    """``count`` routes at one gate, each with ``tasks`` tasks of its own."""

    def __init__(self, gate: Gate, count: int, tasks: int) -> None:
        self.gate = gate
        self.state = np.full(count, NONE)
        self.draws = np.zeros(count, dtype=np.int64)
        self.passes = np.zeros(count, dtype=np.int64)
        self._tasks = tasks
        self._seen = np.zeros((count, tasks))
        self._passed = np.zeros((count, tasks))
        self._of_passes = np.zeros(count)  # the sum over tasks of passes / (draws + 1)
        self._of_mean = np.full(count, float(tasks))  # that of 1 / (draws + 1)
        self.reference = np.full(count, gate.at_least)
        self._sums = np.zeros((len(PLAIN) + len(PAIRED), count))

    @property
    def level(self) -> Floats:
        return np.asarray(self._sums.mean(axis=0))

    def take(self, task: Ints, passed: Bools) -> None:
        """One draw of each that is not demoted, and what follows."""
        awake = np.flatnonzero(self.state != DEMOTED)
        task, value = task[awake], passed[awake].astype(float)
        mean = (self.passes[awake] + 1) / (self.draws[awake] + 2)
        expected = (self._passed[awake, task] + mean) / (self._seen[awake, task] + 1)
        baseline = (self._of_passes[awake] + mean * self._of_mean[awake]) / self._tasks
        self._bet(awake, value, expected, baseline)
        self._count(awake, task, value)
        self._decide(awake)

    def begin(self, which: Ints, state: int) -> None:
        """From nothing, in another state."""
        self.state[which] = state
        self.draws[which] = self.passes[which] = 0
        self._seen[which] = self._passed[which] = 0
        self._of_passes[which], self._of_mean[which] = 0, self._tasks
        self.reference[which] = self.gate.at_least
        self._sums[:, which] = 0

    def _bet(self, awake: Ints, value: Floats, expected: Floats, baseline: Floats) -> None:
        reference = self.reference[awake]
        figures = [(share, value, np.ones(len(awake))) for share in PLAIN]
        figures += [(share, value - expected + baseline, 1 + baseline) for share in PAIRED]
        for number, (share, figure, most) in enumerate(figures):
            factor = 1 + share * (reference - figure) / (most - reference)
            self._sums[number, awake] = (self._sums[number, awake] + 1) * factor

    def _count(self, awake: Ints, task: Ints, value: Floats) -> None:
        self.draws[awake] += 1
        self.passes[awake] += value.astype(np.int64)
        seen, passed = self._seen[awake, task] + 1, self._passed[awake, task] + value
        self._of_passes[awake] += passed / (seen + 1) - (passed - value) / seen
        self._of_mean[awake] += 1 / (seen + 1) - 1 / seen
        self._seen[awake, task], self._passed[awake, task] = seen, passed

    def _decide(self, awake: Ints) -> None:
        """Bounds follow from the number of draws and passes: they are looked up once for each pair that occurs."""
        gate, most = self.gate, int(self.draws.max()) + 1
        pairs, where = np.unique(self.draws[awake] * most + self.passes[awake], return_inverse=True)
        draws, passes = pairs // most, pairs % most
        floor = np.minimum(lower(draws, passes, gate.risk / 4), HIGHEST)[where]
        self.reference[awake] = np.maximum(self.reference[awake], floor)
        below = log_capital(draws, draws - passes, 1 - gate.at_least) >= np.log(2 / gate.risk)
        above = log_capital(draws, passes, gate.at_least) >= np.log(1 / gate.risk)
        demoted = below[where] | (self.level[awake] >= AVERAGE_RUN_LENGTH)
        admitted = above[where] & ~demoted & (self.state[awake] != ADMITTED)
        self.state[awake[admitted]] = ADMITTED
        self.begin(awake[demoted], DEMOTED)
