"""Canaries: how much traffic a candidate gets while it is measured, and where its share ends.

``python -m tests.simulation.canary --write`` plays 2,000 runs a row and puts the table into docs/policy-kinds.md.
"""

import argparse
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean

from backends.price import Price
from backends.route import Revision, Route
from policies.canary import growth
from policies.kinds import Canary
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

PAGE = Path(__file__).parents[2] / "docs" / "policy-kinds.md"
BEGIN, END = "<!-- simulation of canaries -->", "<!-- end of simulation of canaries -->"
BAR, SLICE, LOOKS = 0.80, 10, 30
TRUTHS = (0.50, 0.60, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
HEADER = (
    "| true pass@1 | mean share over the time | ends at nothing | ends with all | tasks until all |\n"
    "|--:|--:|--:|--:|--:|"
)
CANARY = Canary("stable", "candidate", "suite", at_least=BAR)
ROUTES = {name: Route(name, "recorded", "m", Price()) for name in CANARY.routes}


@dataclass(frozen=True, slots=True)
class Played:
    """Means over all runs. Traffic is the same between any two looks at the evidence."""

    truth: float
    share: float
    at_nothing: float
    with_all: float
    tasks_until_all: float | None
    """Over the runs in which it came to that."""


def play(truth: float, runs: int, seed: int = 0) -> Played:
    """``SLICE`` more tasks are scored before each of ``LOOKS`` looks; before the first there is no evidence."""
    rng = random.Random(f"{truth} {seed}")
    courses = [_course(truth, rng) for _ in range(runs)]
    whole = [course.index(1.0) * SLICE for course in courses if 1.0 in course]
    return Played(
        truth,
        mean(mean(course) for course in courses),
        mean(course[-1] == 0 for course in courses),
        mean(course[-1] == 1 for course in courses),
        mean(whole) if whole else None,
    )


def _course(truth: float, rng: random.Random) -> list[float]:
    """The share in force from each look to the next."""
    shares, passes = [share_of(0, 0)], 0
    for look in range(1, LOOKS + 1):
        passes += sum(rng.random() < truth for _ in range(SLICE))
        shares.append(share_of(passes, look * SLICE))
    return shares


@cache
def share_of(passes: int, tasks: int) -> float:
    cards = (_card(passes, tasks),) if tasks else ()
    return growth(CANARY, ROUTES, Snapshot(1, cards)).share


def _card(passes: int, tasks: int) -> Scorecard:
    return Scorecard(
        run_id="run",
        route="candidate",
        revision=Revision().id,
        suite="suite",
        suite_hash="0",
        language="python",
        measured_at="2026-01-01T00:00:00Z",
        tasks=tasks,
        repetitions=1,
        asked=tasks,
        scored=tasks,
        no_answer=0,
        unscorable=0,
        pass_at_1=passes / tasks,
    )


def table(played: Sequence[Played]) -> str:
    rows = [
        f"| {each.truth:.2f} | {each.share:.1%} | {each.at_nothing:.1%} | {each.with_all:.1%}"
        f" | {'-' if each.tasks_until_all is None else f'{each.tasks_until_all:.0f}'} |"
        for each in played
    ]
    return "\n".join([HEADER, *rows])


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(arguments)
    found = f"Seed 0, {options.runs:,} runs a row:\n\n{table([play(truth, options.runs) for truth in TRUTHS])}\n"
    print(found)  # noqa: T201
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        between = re.compile(rf"(?<={re.escape(BEGIN)}\n).*(?=\n{re.escape(END)})", re.DOTALL)
        PAGE.write_text(between.sub(lambda _: found, text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
