"""How often watching demotes a route wrongly, and how many tasks it needs to see one fall."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evaluator.watching.standing import Gate
from tests.simulation.standings import ADMITTED, DEMOTED, Standings

Floats = NDArray[np.float64]

TASKS = 160
BAR = Gate("s", None, 0.80, 0.95)


@dataclass(frozen=True, slots=True)
class Difficulties:
    """Each task's chance to pass: all alike, of two kinds as far apart as the mean allows, or 1 and 0."""

    name: Literal["all alike", "two kinds", "always or never"]
    mean: float

    def chances(self, tasks: int = TASKS) -> Floats:
        if self.name == "all alike":
            return np.full(tasks, self.mean)
        if self.name == "always or never":
            return (np.arange(tasks) < round(self.mean * tasks)).astype(float)
        spread = min(self.mean, 1 - self.mean)
        return self.mean + np.where(np.arange(tasks) % 2, spread, -spread)


def fallen(chances: Floats, by: float) -> Floats:
    """Every task's chance smaller by the same factor, the mean by ``by``."""
    return np.asarray(chances * (1 - by / chances.mean()))


def drawn(standings: Standings, chances: Floats, rng: np.random.Generator) -> None:
    count = len(standings.state)
    task = rng.integers(0, len(chances), count)
    standings.take(task, rng.random(count) < chances[task])


@dataclass(frozen=True, slots=True)
class Stable:
    """Shares of routes that never change."""

    name: str
    mean: float
    draws: int
    admitted: float
    demoted: float

    def row(self) -> Sequence[str]:
        return self.name, f"{self.mean:.2f}", f"{self.draws:,}", f"{self.admitted:.4f}", f"{self.demoted:.4f}"


def stable(difficulties: Difficulties, count: int, draws: int, seed: int) -> Stable:
    """Shares ever admitted, and ever demoted, of ``count`` routes looked at after each of so many draws."""
    chances, rng = difficulties.chances(), np.random.default_rng(seed)
    standings = Standings(BAR, count, len(chances))
    admitted = np.zeros(count, dtype=bool)
    for _ in range(draws):
        drawn(standings, chances, rng)
        admitted |= standings.state == ADMITTED
    demoted = standings.state == DEMOTED
    return Stable(difficulties.name, float(chances.mean()), draws, float(admitted.mean()), float(demoted.mean()))


@dataclass(frozen=True, slots=True)
class Fall:
    """Draws from a fall until it is demoted; None: most were not within ``most``."""

    name: str
    before: float
    by: float
    history: int
    most: int
    too_soon: float
    found: float
    median: float | None
    nine_of_ten: float | None

    def row(self) -> Sequence[str]:
        quantiles = [f"> {self.most:,}" if each is None else f"{each:,.0f}" for each in (self.median, self.nine_of_ten)]
        after = f"{self.before:.2f} to {self.before - self.by:.2f}"
        return self.name, after, f"{self.history:,}", f"{self.too_soon:.4f}", f"{self.found:.3f}", *quantiles


def fall(difficulties: Difficulties, by: float, count: int, history: int, most: int, seed: int) -> Fall:
    """Of ``count`` routes that fall after ``history`` draws, for at most so many more."""
    chances, rng = difficulties.chances(), np.random.default_rng(seed)
    standings = Standings(BAR, count, len(chances))
    for _ in range(history):
        drawn(standings, chances, rng)
    too_soon = standings.state == DEMOTED
    until = np.full(count, np.inf)
    worse = fallen(chances, by)
    for number in range(1, most + 1):
        drawn(standings, worse, rng)
        until[np.isinf(until) & (standings.state == DEMOTED)] = number
    until = until[~too_soon]
    median, nine = (float(np.quantile(until, q, method="higher")) for q in (0.5, 0.9))
    return Fall(
        difficulties.name,
        float(chances.mean()),
        by,
        history,
        most,
        float(too_soon.mean()),
        float(np.isfinite(until).mean()),
        median if np.isfinite(median) else None,
        nine if np.isfinite(nine) else None,
    )
