"""Axes: from dollars and shares to pixels, with round ticks."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_NANO = 1_000_000_000
_DECADE = 10


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from ``low`` to ``high`` on the pixels from ``start`` to ``end``; others land on the nearer end."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]
    written: Callable[[float], str]
    log: bool = False

    def at(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        if self.log:
            part = math.log(inside / self.low) / math.log(self.high / self.low)
        else:
            part = (inside - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


def share_axis(values: Iterable[float], start: float, end: float) -> Axis:
    """As much of 0 to 1 as the values need, in whole tenths."""
    known = list(values)
    low = max(0, math.floor(round(10 * min(known), 6)))
    high = min(10, math.ceil(round(10 * max(known), 6)))
    if high - low < 2:
        low, high = max(0, low - 1), min(10, high + 1)
    step = 1 if high - low <= 5 else 2
    ticks = tuple(tenth / 10 for tenth in range(low, high + 1) if (tenth - low) % step == 0)
    return Axis(low / 10, high / 10, start, end, ticks, "{:.1f}".format)


def money_axis(values: Iterable[float], start: float, end: float) -> Axis:
    """Finite nano-dollars: a logarithmic axis where they span a decade or more, else one from 0."""
    known = list(values)
    low, high = min(known), max(known)
    if low > 0 and high / low >= _DECADE:
        return _log_axis(low, high, start, end)
    step = _round_step((high or _NANO) * 1.08 / 4)
    count = math.ceil((high or _NANO) * 1.08 / step)
    return Axis(0, count * step, start, end, tuple(n * step for n in range(count + 1)), dollars_of_tick)


def _log_axis(low: float, high: float, start: float, end: float) -> Axis:
    """One mark a decade, or at 1, 2 and 5 where that leaves too few."""
    low, high = low / 1.5, high * 1.5
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine, coarse = (_within(low, high, (m * 10.0**d for d in decades for m in marks)) for marks in ((1, 2, 5), (1,)))
    return Axis(low, high, start, end, coarse if len(fine) > 6 else fine, dollars_of_tick, log=True)


def _within(low: float, high: float, marks: Iterable[float]) -> tuple[float, ...]:
    return tuple(mark for mark in marks if low <= mark <= high)


def _round_step(least: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is not less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))


def dollars_of_tick(nanousd: float) -> str:
    """A round amount without needless zeros: $0, $0.0002, $0.05, $0.50, $20."""
    usd = nanousd / _NANO
    enough = (digits for digits in (0, *range(2, 30)) if math.isclose(round(usd, digits), usd, rel_tol=1e-6))
    return f"${usd:,.{next(enough)}f}"
