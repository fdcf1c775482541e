"""Replays that look after every task and may stop: how often they are wrong, and how much they save.

``python -m tests.simulation.stopping --write`` plays 2,000 replays a row at the bar and 500 a row away from it, and
puts the table into docs/statistics.md.
"""

import argparse
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evaluator.statistics.stopping import Bar, Decision, decide
from evaluator.statistics.strata import stratified

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
BAR = Bar(0.80)
HEADER = (
    "| difficulties | mean | samples | replays | met | below | futile | undecided | wrong | tasks asked |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """``difficulties``: every task's chance to pass, by language. They stay as they are in all replays."""

    name: str
    difficulties: tuple[tuple[float, ...], ...]
    samples: int

    @property
    def tasks(self) -> int:
        return sum(map(len, self.difficulties))

    @property
    def mean(self) -> float:
        return sum(map(sum, self.difficulties)) / self.tasks


@dataclass(frozen=True, slots=True)
class Played:
    scenario: Scenario
    replays: int
    verdicts: Counter[str]
    asked: int
    """Tasks in all replays together."""

    @property
    def wrong(self) -> float:
        """At the bar itself, which a scenario may be on, either claim counts as an error."""
        mean = round(self.scenario.mean, 9)
        errors = self.verdicts["met"] * (mean <= BAR.at_least) + self.verdicts["below"] * (mean >= BAR.at_least)
        return errors / self.replays

    def row(self) -> str:
        shares = [self.verdicts[verdict] / self.replays for verdict in ("met", "below", "futile", "undecided")]
        cells = [self.scenario.name, f"{self.scenario.mean:.2f}", str(self.scenario.samples), f"{self.replays:,}"]
        cells += [f"{share:.3f}" for share in (*shares, self.wrong)]
        asked = self.asked / self.replays
        return "| " + " | ".join([*cells, f"{asked:.0f} of {self.scenario.tasks}"]) + " |"


def at_the_bar(tasks: int) -> Iterator[Scenario]:
    """``tasks`` is a multiple of 60."""
    part = tasks // 60
    for samples in (1, 3):
        yield Scenario("all alike", ((0.8,) * tasks,), samples)
        yield Scenario(
            "easy, even and hard ones", ((0.98,) * 40 * part + (0.5,) * 16 * part + (0.2,) * 4 * part,), samples
        )
        yield Scenario("always or never", ((1.0,) * 48 * part + (0.0,) * 12 * part,), samples)
        yield Scenario("two languages, one harder", ((0.95,) * 40 * part, (0.5,) * 20 * part), samples)


def away_from_it(tasks: int) -> Iterator[Scenario]:
    for mean in (0.97, 0.90, 0.70, 0.50):
        spread = min(mean, 1 - mean)
        difficulties = tuple(mean + spread * (-1 if number % 2 else 1) for number in range(tasks))
        for samples in (1, 3):
            yield Scenario("two kinds", (difficulties,), samples)


def played(scenario: Scenario, replays: int, seed: int = 0) -> Played:
    rng = random.Random(f"{seed} {scenario.name} {scenario.samples} {scenario.mean:.3f}")
    decisions = [replay(scenario, rng) for _ in range(replays)]
    verdicts: Counter[str] = Counter(decision.verdict for decision in decisions)
    return Played(scenario, replays, verdicts, sum(decision.tasks for decision in decisions))


def replay(scenario: Scenario, rng: random.Random) -> Decision:
    """Looks after every block: after every task, in one language."""
    drawn: list[list[float]] = []
    for block in stratified(scenario.difficulties, rng.randrange(1 << 30)):
        drawn.append([sum(rng.random() < p for _ in range(scenario.samples)) / scenario.samples for p in block])
        if decision := decide(BAR, drawn, scenario.tasks, once=scenario.samples == 1):
            return decision
    raise AssertionError("a whole replay is always decided")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replays", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", type=int, default=120)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args()
    rows = [HEADER]
    sys.stdout.write(HEADER + "\n")
    plays = [(scenario, options.replays) for scenario in at_the_bar(options.tasks)]
    plays += [(scenario, options.replays // 4) for scenario in away_from_it(options.tasks)]
    for scenario, replays in plays:
        rows.append(played(scenario, replays, options.seed).row())
        sys.stdout.write(rows[-1] + "\n")
        sys.stdout.flush()
    if options.write:
        said = f"Seed {options.seed}, {datetime.now(UTC).date().isoformat()}:"
        begin, end = "<!-- simulation -->", "<!-- end of simulation -->"
        table = "\n".join([begin, said, "", *rows, end])
        PAGE.write_text(re.sub(f"{begin}.*{end}", lambda _: table, PAGE.read_text(), flags=re.DOTALL))


if __name__ == "__main__":
    main()
