"""What was measured as tables in Markdown: medians of the rounds, ratios within a round, verdicts one by one."""

import datetime
import os
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.bench.judging.judges import Judged
from tests.bench.report import commit, machine, table

GOALS = {"cold": 2.0, "warm": 3.0}
"""How many times as fast as EvalPlus the judge shall be, on two cores."""

Rounds = Mapping[str, Mapping[str, list[Judged]]]
"""By system, ours last, and by the state of its oracle (``cold``, ``warm``): a round after the other."""


@dataclass(frozen=True, slots=True)
class Origin:
    """``load_before``: the load average over one minute when measuring began."""

    command: str
    load_before: float


def report(rounds: Rounds, origin: Origin) -> str:
    parts = [_origin(rounds, origin), _times(rounds)]
    if len(rounds) > 1:
        parts.append(_verdicts(rounds))
    return "\n\n".join(parts) + "\n"


def _origin(rounds: Rounds, origin: Origin) -> str:
    now = datetime.datetime.now(datetime.UTC)
    cold = next(iter(rounds.values()))["cold"]
    return (
        f"{now:%Y-%m-%d %H:%M} UTC, `{origin.command}`, commit {commit()}. {machine()}. Load average over one minute:"
        f" {origin.load_before:.1f} before, {os.getloadavg()[0]:.1f} after. {len(cold[0].verdicts)} samples, medians of"
        f" {len(cold)} round{'s' if len(cold) > 1 else ''}, by turns."
    )


def _times(rounds: Rounds) -> str:
    rows = []
    for name, states in rounds.items():
        rows.append([f"{name}: all verdicts after, s", *_row(states, lambda judged: judged.seconds)])
        if any(judged.exit_seconds - judged.seconds > 1 for results in states.values() for judged in results):
            rows.append([f"{name}: process ends after, s", *_row(states, lambda judged: judged.exit_seconds)])
    if len(rounds) > 1:
        rows += _ratios(*rounds.values())
    return table(["", *(cell for state in GOALS for cell in (f"{state} oracle", "rounds"))], rows)


def _row(states: Mapping[str, list[Judged]], of: Callable[[Judged], float]) -> list[str]:
    cells = []
    for state in GOALS:
        seconds = [of(judged) for judged in states[state]]
        cells += [f"{statistics.median(seconds):.1f}", f"{min(seconds):.1f} to {max(seconds):.1f}"]
    return cells


def _ratios(theirs: Mapping[str, list[Judged]], ours: Mapping[str, list[Judged]]) -> list[list[str]]:
    """Until the verdicts are there, not until the process has ended."""
    measured, goals = [], []
    for state, goal in GOALS.items():
        ratios = [a.seconds / b.seconds for a, b in zip(theirs[state], ours[state], strict=True)]
        median = statistics.median(ratios)
        measured += [f"**{median:.1f} x**", f"{min(ratios):.1f} to {max(ratios):.1f}"]
        goals += [f">= {goal:g} x", "met" if median >= goal else "**not met**"]
    return [["as fast as EvalPlus", *measured], ["goal", *goals]]


def _verdicts(rounds: Rounds) -> str:
    """Every verdict of every round beside the other judge's of the same round."""
    theirs, ours = rounds.values()
    differences: dict[tuple[str, int, str], int] = {}
    compared = 0
    for state in GOALS:
        for a, b in zip(theirs[state], ours[state], strict=True):
            for (task, sample), parts in a.verdicts.items():
                for part, one, other in zip(("base", "plus"), parts, b.verdicts[task, sample], strict=True):
                    compared += 1
                    if one != other:
                        what = (f"{task}, {part}", sample, f"{_word(one)} there, {_word(other)} here")
                        differences[what] = differences.get(what, 0) + 1
    if not differences:
        return f"{compared:,} verdicts on base and plus tests were compared one by one: all are the same."
    runs = sum(len(results) for results in ours.values())
    rows = [[task, str(sample), what, f"{count} of {runs}"] for (task, sample, what), count in differences.items()]
    head = f"{compared:,} verdicts on base and plus tests were compared one by one. These differ:"
    return f"{head}\n\n{table(['task', 'sample', 'verdicts', 'runs'], rows)}"


def _word(passed: bool) -> str:
    return "pass" if passed else "fail"
