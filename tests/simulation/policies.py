"""What watching costs and buys: wrong demotions, tasks until a fall is seen, regret against an oracle.

``make bench-policy`` (``python -m tests.simulation.policies --write``) simulates 2,000 routes a row, in some minutes,
and puts the tables into docs/watch.md.
"""

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.simulation.regret import World, canary, cheapest, regrets, unwatched
from tests.simulation.watching import Difficulties, fall, stable

PAGE = Path(__file__).parents[2] / "docs" / "watch.md"
BEGIN, END = "<!-- simulation -->", "<!-- end of simulation -->"
STABLE = ("difficulties", "mean", "draws", "admitted", "demoted")
FALLS = ("difficulties", "pass@1", "draws before", "too soon", "seen", "median draws", "9 of 10")
REGRETS = ("the cheap route", "policy", "below the bar", "solved", "cost")
DRAWS = 2_000
WORLDS = (
    World("0.92", ((0, 0.92),), DRAWS),
    World("0.70", ((0, 0.70),), DRAWS),
    World("0.92, at 600 to 0.72, at 1,200 back", ((0, 0.92), (600, 0.72), (1200, 0.92)), DRAWS),
    World("0.90, at 600 to 0.70", ((0, 0.90), (600, 0.70)), DRAWS),
    World("0.88, at 600 to 0.78", ((0, 0.88), (600, 0.78)), DRAWS),
)
POLICIES = {"cheapest": cheapest, "canary": canary, "cheapest, unwatched": unwatched}


def stable_rows(count: int, draws: int, seed: int) -> Iterator[Sequence[str]]:
    for name in ("all alike", "two kinds", "always or never"):
        for mean in (0.80, 0.85, 0.90, 0.95) if name == "two kinds" else (0.80,):
            yield stable(Difficulties(name, mean), count, draws, seed).row()


def fall_rows(count: int, seed: int) -> Iterator[Sequence[str]]:
    for name in ("two kinds", "always or never"):
        for before in (0.95, 0.90) if name == "two kinds" else (0.95,):
            for by in (0.20, 0.10, 0.05):
                for history in (500, 2_000):
                    yield fall(Difficulties(name, before), by, count, history, 2_000, seed).row()
    yield fall(Difficulties("always or never", 1.0), 0.50, count, 50, 2_000, seed).row()  # as in test_watch.py


def regret_rows(count: int, seed: int) -> Iterator[Sequence[str]]:
    for world in WORLDS:
        for name, found in regrets(world, POLICIES, count, seed).items():
            yield world.name, name, *found.cells()


def table(head: Sequence[str], rows: Iterator[Sequence[str]], left: int) -> str:
    """Markdown, which is shown as it grows; the first ``left`` columns are words."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * left}{'--:|' * (len(head) - left)}"]
    sys.stdout.write("\n".join(lines) + "\n")
    for row in rows:
        lines.append(f"| {' | '.join(row)} |")
        sys.stdout.write(lines[-1] + "\n")
        sys.stdout.flush()
    return "\n".join(lines)


def report(count: int, seed: int) -> str:
    day = datetime.now(UTC).date().isoformat()
    return f"""{count:,} routes a row, seed {seed}, {day}; 160 tasks, a bar of 0.80 at 95%, looked at after every draw.

A route that does not change, over {DRAWS:,} draws: shares of routes that were ever admitted, and ever demoted. At
exactly 0.80 either is counted as wrong; each must be below 0.05.

{table(STABLE, stable_rows(count, DRAWS, seed), 1)}

A route that falls after so many draws, all of its tasks' chances by the same factor: draws from then on until it is
demoted, at most 2,000. *Too soon* is the share that was demoted before.

{table(FALLS, fall_rows(count, seed), 2)}

Regret, of a request with each draw, against an oracle that always knows whether the cheap route (a fifth of the price)
keeps the bar, and else takes the dear one (0.95). Per 1,000 requests: served below the bar, and solved more or fewer
than by the oracle; and cost beyond the oracle's. A demoted route rests for 100 draws.

{table(REGRETS, regret_rows(count, seed), 2)}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args()
    started = time.monotonic()
    text = report(options.count, options.seed)
    sys.stdout.write(f"{time.monotonic() - started:.0f} s\n")
    if options.write:
        whole = "\n".join([BEGIN, text, END])
        PAGE.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: whole, PAGE.read_text(), flags=re.DOTALL))


if __name__ == "__main__":
    main()
