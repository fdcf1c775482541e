"""`make bench-judge` runs, its table holds numbers, and a verdict that differs is shown. No timing is asserted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.judging.judges import Judged, Verdicts
from tests.bench.judging.tables import Origin, report
from tests.fixtures.shared_data import needs_shared_data

ROOT = Path(__file__).parents[2]


def run(*options: str) -> str:
    command = [sys.executable, "-m", "tests.bench.judging", "--rounds", "1", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs_shared_data
@pytest.mark.timeout(600)
def test_ours_alone() -> None:
    said = run("--only-ours", "--tasks", "4")
    [row] = [line for line in said.splitlines() if line.startswith("| Weighbridge")]
    assert re.fullmatch(r"\| Weighbridge \S+: all verdicts after, s( \| [\d.]+ \| [\d.]+ to [\d.]+){2} \|", row)
    assert "4 samples, medians of 1 round" in said


@needs_shared_data
@pytest.mark.full
def test_evalplus_gives_the_same_verdicts() -> None:
    said = run()
    assert "656 verdicts on base and plus tests were compared one by one: all are the same." in said


def judged(seconds: float, *, plus: bool = True) -> Judged:
    verdicts: Verdicts = {("HumanEval/0", 0): (True, True), ("HumanEval/1", 0): (True, plus)}
    return Judged(verdicts, seconds, seconds)


def test_ratios_are_taken_within_a_round_and_goals_judged_by_their_median() -> None:
    theirs = {"cold": [judged(10), judged(40), judged(30)], "warm": [judged(9)] * 3}
    ours = {"cold": [judged(5), judged(10), judged(20)], "warm": [judged(4)] * 3}
    said = report({"EvalPlus": theirs, "Weighbridge": ours}, Origin("make bench-judge", 1.0))
    assert "| EvalPlus: all verdicts after, s | 30.0 | 10.0 to 40.0 | 9.0 | 9.0 to 9.0 |" in said
    assert "| as fast as EvalPlus | **2.0 x** | 1.5 to 4.0 | **2.2 x** | 2.2 to 2.2 |" in said
    assert "| goal | >= 2 x | met | >= 3 x | **not met** |" in said
    assert "24 verdicts on base and plus tests were compared one by one: all are the same." in said


def test_verdicts_that_differ_are_shown() -> None:
    theirs = {"cold": [judged(10)], "warm": [judged(10)]}
    ours = {"cold": [judged(10)], "warm": [judged(10, plus=False)]}
    said = report({"EvalPlus": theirs, "Weighbridge": ours}, Origin("make bench-judge", 1.0))
    assert "| HumanEval/1, plus | 0 | pass there, fail here | 1 of 2 |" in said
