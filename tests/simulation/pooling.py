"""Bounds for languages with few tasks, pooled and not: how often they are right, and how much they promise.

``python -m tests.simulation.pooling --write`` plays 2,000 runs a row and puts the table into docs/statistics.md.
"""

import argparse
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path

from policies.correctness import Correctness
from policies.pooling import pool
from policies.scorecard import Unit

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
CONFIDENCE = 0.95
BEGIN, END = "<!-- simulation of pooling -->", "<!-- end of simulation of pooling -->"
HEADER = (
    "| languages' true means | languages | tasks each | samples | right, own | right, pooled | worst language, pooled"
    " | mean bound, own | pooled | error of the mean, own | pooled |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)
Truth = Callable[[int, random.Random], list[float]]

TRUTHS: Mapping[str, Truth] = {
    "alike": lambda count, rng: [0.85] * count,
    "alike, nearly all pass": lambda count, rng: [0.98] * count,
    "spread": lambda count, rng: [rng.betavariate(8.5, 1.5) for _ in range(count)],
    "spread widely": lambda count, rng: [rng.betavariate(2, 1) for _ in range(count)],
    "two groups": lambda count, rng: [0.9] * (count // 2) + [0.5] * (count - count // 2),
    "a quarter worse": lambda count, rng: [0.9] * (count - count // 4) + [0.5] * (count // 4),
    "one much worse": lambda count, rng: [0.9] * (count - 1) + [0.4],
}
"""A route's true means in its languages. Those that are spread are drawn anew in every run."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``tasks`` a language, each asked ``samples`` times; with several, half of them are easy and half are hard."""

    truth: str
    languages: int
    tasks: int
    samples: int = 1


@dataclass(slots=True)
class Played:
    """Shares, and means over all languages of all runs."""

    scenario: Scenario
    coverage: float
    worst: float
    """Of the language in which it was right least often. Languages whose truth is drawn anew are all alike."""
    own_coverage: float
    bound: float
    own_bound: float
    error: float
    """Root of the mean squared error of the pooled mean."""
    own_error: float

    def row(self) -> str:
        of = self.scenario
        figures = (self.own_coverage, self.coverage, self.worst, self.own_bound, self.bound, self.own_error, self.error)
        cells = [of.truth, str(of.languages), str(of.tasks), str(of.samples), *(f"{figure:.3f}" for figure in figures)]
        return "| " + " | ".join(cells) + " |"


def scenarios() -> Iterator[Scenario]:
    for truth in TRUTHS:
        for languages, tasks in ((4, 8), (16, 8), (16, 30)):
            yield Scenario(truth, languages, tasks)
    yield Scenario("spread", 16, 8, samples=3)
    yield Scenario("one much worse", 16, 8, samples=3)


def played(scenario: Scenario, runs: int, seed: int = 0) -> Played:
    rng = random.Random(f"{seed} {scenario}")
    right = [0] * scenario.languages
    own_right = 0
    bounds = own_bounds = squares = own_squares = 0.0
    for _ in range(runs):
        truths = TRUTHS[scenario.truth](scenario.languages, rng)
        measured = {str(number): _measured(scenario, mean, rng) for number, mean in enumerate(truths)}
        pooled = pool(measured)
        for number, truth in enumerate(truths):
            own, together = measured[str(number)], pooled[str(number)]
            bound, own_bound = together.lower(CONFIDENCE), own.lower(CONFIDENCE)
            right[number] += bound <= truth
            own_right += own_bound <= truth
            bounds, own_bounds = bounds + bound, own_bounds + own_bound
            squares += (together.mean - truth) ** 2
            own_squares += ((own.mean or 0.0) - truth) ** 2
    total = runs * scenario.languages
    return Played(
        scenario,
        coverage=sum(right) / total,
        worst=min(right) / runs,
        own_coverage=own_right / total,
        bound=bounds / total,
        own_bound=own_bounds / total,
        error=sqrt(squares / total),
        own_error=sqrt(own_squares / total),
    )


def _measured(scenario: Scenario, mean: float, rng: random.Random) -> Correctness:
    n, samples = scenario.tasks, scenario.samples
    if samples == 1:
        return Correctness(sum(rng.random() < mean for _ in range(n)) / n, n, once=True)
    spread = min(mean, 1 - mean)
    passes = [_passes(mean + (spread if task % 2 else -spread), samples, rng) for task in range(n)]
    units = tuple(Unit(count / samples, 1, passes.count(count)) for count in sorted(set(passes)))
    return Correctness(sum(passes) / (n * samples), n, once=False, units=units)


def _passes(chance: float, samples: int, rng: random.Random) -> int:
    return sum(rng.random() < chance for _ in range(samples))


def put(rows: Sequence[str], page: Path) -> None:
    table = "\n".join([BEGIN, *rows, END])
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: table, page.read_text(), flags=re.DOTALL))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args()
    said = f"Seed {options.seed}, {options.runs:,} runs a row, {datetime.now(UTC).date().isoformat()}:"
    rows = [said, "", HEADER]
    sys.stdout.write(HEADER + "\n")
    for scenario in scenarios():
        rows.append(played(scenario, options.runs, options.seed).row())
        sys.stdout.write(rows[-1] + "\n")
        sys.stdout.flush()
    if options.write:
        put(rows, PAGE)


if __name__ == "__main__":
    main()
