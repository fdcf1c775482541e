"""When a replay has asked enough: it is decided whether pass@1 reaches a bar, or it will not be.

Two things are uncertain, and each gets half of the risk: what score the whole replay would have (``sequence``), and
what that score proves about the suite's mean pass probability, since other repetitions would end otherwise (the bounds
that gates use). So "met" means that the whole replay would pass the gate.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, log
from typing import Literal

from evaluator.statistics.sequence import Blocks, interval, log_capital
from policies.bounds import betting_refutes, exact_refutes

Verdict = Literal["met", "below", "futile", "undecided"]

_GIVING_UP = 0.001
"""The risk to stop as futile when the rest would have met the bar: small, for nothing is proved then."""
_HAIR = 1e-6
"""Less than any two sums of x differ by, and more than their rounding."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The suite's mean pass probability is ``at_least`` so much, to be shown with ``confidence``."""

    at_least: float
    confidence: float = 0.95

    @classmethod
    def parse(cls, text: str) -> "Bar":
        """``"pass_at_1 >= 0.80"``. Raises ValueError that says what to write."""
        match = re.fullmatch(r"\s*pass_at_1\s*>=\s*(0?\.\d+)\s*", text)
        if match is None or not 0 < float(match[1]) < 1:
            raise ValueError(f"{text!r} is not understood; write 'pass_at_1 >= 0.80', with a number between 0 and 1")
        return cls(float(match[1]))

    def __str__(self) -> str:
        return f"pass_at_1 >= {self.at_least:g}"


@dataclass(frozen=True, slots=True)
class Decision:
    """``met``: at least the bar. ``below``: less. ``futile``: the rest would hardly show that it is met; ``certain``:

    whatever the rest brings. ``undecided``: all were asked, and neither was shown.
    """

    verdict: Verdict
    certain: bool
    tasks: int
    """So many were drawn until then."""
    low: float
    high: float
    """Where the whole replay's score lies, with the bar's confidence."""


def decide(bar: Bar, drawn: Sequence[Sequence[float | None]], tasks: int, *, once: bool) -> Decision | None:
    """None while more has to be asked. ``drawn``: each task's x by blocks; None where a task could not be scored, which
    is taken for whatever proves least. ``once``: x is 0 or 1, as every task is asked once.
    """
    least = [[0.0 if x is None else x for x in block] for block in drawn]
    most = [[1.0 if x is None else x for x in block] for block in drawn]
    asked = sum(map(len, drawn))
    found = _found(_Half(bar.at_least, bar.confidence, once, tasks), least, most)
    if found is None and asked < tasks:
        return None
    verdict, certain = found if found is not None and (asked < tasks or found[0] != "futile") else ("undecided", True)
    low, _ = interval(least, tasks, bar.confidence)
    _, high = interval(most, tasks, bar.confidence)
    return Decision(verdict, certain, asked, low, high)


@dataclass(frozen=True, slots=True)
class _Half:
    """The part that goes from the whole replay's score to the suite, at half of the risk."""

    at_least: float
    confidence: float
    once: bool
    tasks: int

    @property
    def risk(self) -> float:
        return (1 - self.confidence) / 2

    def mirrored(self) -> "_Half":
        """The same question about failures."""
        return _Half(1 - self.at_least, self.confidence, self.once, self.tasks)

    def needs(self, blocks: Blocks, *, at_best: bool) -> int | None:
        """How many of the tasks that are left must pass, so that all prove the bar; None if not even all suffice.

        Several repetitions can add up to the same sum in many ways: 0 and 1 prove least, equal values most.
        """
        seen = Counter(x for block in blocks for x in block)
        left = self.tasks - seen.total()
        if self.once:
            missing = max(0, _passes_needed(self.tasks, self.at_least, 1 - self.risk) - round(sum(map(sum, blocks))))
            return missing if missing <= left else None

        def proves(passes: int) -> bool:
            rest = {passes / left: left} if at_best and left else {1.0: passes, 0.0: left - passes}
            values = [(x, count) for x, count in (*seen.items(), *rest.items()) if count]
            return betting_refutes(values, self.at_least, 1 - self.risk)

        needed = bisect_left(range(left + 1), True, key=proves)
        return needed if needed <= left else None


@lru_cache
def _passes_needed(tasks: int, at_least: float, confidence: float) -> int:
    """``tasks + 1`` when not even all suffice."""
    return bisect_left(range(tasks + 1), True, key=lambda passes: exact_refutes(passes, tasks, at_least, confidence))


def _found(half: _Half, least: Blocks, most: Blocks) -> tuple[Verdict, bool] | None:
    failures = [[1 - x for x in block] for block in most]
    capital = _capital_for(half, least)
    if capital >= log(1 / half.risk):
        return "met", capital == inf
    capital = _capital_for(half.mirrored(), failures)
    if capital >= log(1 / half.risk):
        return "below", capital == inf
    capital = _capital_for_giving_up(half, most, failures)
    return ("futile", capital == inf) if capital >= log(1 / _GIVING_UP) else None


def _capital_for(half: _Half, blocks: Blocks) -> float:
    """Won by betting that the whole replay would prove the bar, whichever of its repetitions pass."""
    total, asked = sum(map(sum, blocks)), sum(map(len, blocks))
    if total <= half.at_least * asked or (needed := half.needs(blocks, at_best=False)) is None:
        return 0.0
    return log_capital(blocks, half.tasks, total + needed - (1 if half.once else _HAIR))


def _capital_for_giving_up(half: _Half, most: Blocks, failures: Blocks) -> float:
    """Won by betting that the whole replay would not prove the bar."""
    needed = half.needs(most, at_best=True)
    if needed is None:
        return inf
    total, asked = sum(map(sum, most)), sum(map(len, most))
    enough = total + needed - (0 if half.once else 1)
    if total * half.tasks >= enough * asked:
        return 0.0
    return log_capital(failures, half.tasks, half.tasks - enough)
