"""Hostile programs of every language in the sandboxes that bring their own toolchains: one of each table, or all."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from evaluator.judging.judge import Judge
from evaluator.sandbox import Limits, Sandbox
from evaluator.suites import Suite, load_suite
from evaluator.verdict import Status
from tests.conformance.test_hostile_cobol_fortran import CALLED, COBOL, FORTRAN, called, whole
from tests.conformance.test_hostile_compiled import RIGHT, ROWS
from tests.conformance.test_hostile_programs import TARGETS
from tests.fixtures.docker import BUILD_S
from tests.fixtures.sandboxes import Entered, entered, with_its_time
from tests.fixtures.twice import TWICE, twice_suite

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(BUILD_S)]

ROOMY = Limits(memory_bytes=1 << 30, processes=64, tmp_bytes=64 << 20)
SECONDS = 20.0  # generous: these machines within the machine are slow, and only a program that ends is tried
SHORT_SECONDS = 5.0
"""Where endless programs are tried; the right one may take four times what it takes."""


@dataclass(frozen=True)
class Hostile:
    table: str
    right: str
    row: dict[str, object] | None = None
    """In its suite's format; None: others make it."""
    ahead: str = ""
    """Of each program of the table."""

    def suite(self, folder: Path) -> Suite:
        if self.table in TWICE:
            return twice_suite(self.table, folder)
        path = folder / "suite.jsonl"
        if self.table == "coboleval":
            called(folder)
        elif self.row is None:
            whole(self.table, folder)
        else:
            path.write_text(json.dumps(self.row))
        return load_suite(str(path))

    def programs(self) -> list[tuple[list[str], str, str]]:
        """What each may get, what it tries, and the program."""
        text = Path(__file__).with_name(f"hostile_{self.table}.txt").read_text()
        found = re.findall(r"^=== (.+?): (.+)\n((?:(?!=== ).*\n)+)", text, re.MULTILINE)
        return [(statuses.split(" or "), tries, self.ahead + code) for statuses, tries, code in found]


FUNCTION: dict[str, object] = {
    "task_id": "twice",
    "language": "python",
    "prompt": "def twice(xs):\n",
    "entry_point": "twice",
    "canonical_solution": "def twice(xs):\n    return [2 * x for x in xs]\n",
    "tests": [{"args": [xs], "expected": [2 * x for x in xs]} for xs in ([1, 2], [], [3], [-1, 0, 7])],
}
ALL = {
    "python": Hostile("python", str(FUNCTION["canonical_solution"]), FUNCTION),
    **{name: Hostile(name, right) for name, (_, _, right) in TWICE.items()},
    **{name: Hostile(name, RIGHT[name], row) for name, row in ROWS.items()},
    "cobol": Hostile("cobol", COBOL),
    "fortran": Hostile("fortran", FORTRAN),
    **{name: Hostile(target.table, target.right, target.row) for name, target in TARGETS.items()},
}
CALLING = Hostile(
    "coboleval", f"{CALLED}           MULTIPLY 2 BY L-N GIVING RESULT\n           GOBACK.\n", ahead=CALLED
)


@pytest_asyncio.fixture(params=["docker", "gvisor"], scope="module", loop_scope="module")
async def elsewhere(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with entered(request.param, request) as box:
        yield box


@pytest.mark.parametrize("name", ALL)
async def test_a_cheat_of_each_language_does_not_pay(elsewhere: Sandbox, name: str, tmp_path: Path) -> None:
    hostile = ALL[name]
    suite = hostile.suite(tmp_path)
    (task,) = suite.tasks
    cheat = next(code for statuses, _, code in hostile.programs() if statuses == ["fail"])  # and it ends by itself
    box = Entered(elsewhere)
    async with Judge(suite, box, parallel=2, limits=ROOMY, cache=tmp_path, run_seconds=SECONDS) as judge:
        right, wrong = await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for code in (hostile.right, cheat)))
    assert (right.status, wrong.status) == (Status.PASS, Status.FAIL), (right, wrong)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [*ALL, "coboleval"])
async def test_no_cheat_pays(elsewhere: Sandbox, name: str, tmp_path: Path) -> None:
    hostile = ALL.get(name, CALLING)
    suite = hostile.suite(tmp_path)
    task = with_its_time(suite.tasks[0], hostile.right)
    table = hostile.programs()
    assert len(table) >= 8
    box = Entered(elsewhere)
    async with Judge(suite, box, parallel=2, limits=ROOMY, cache=tmp_path, run_seconds=SHORT_SECONDS) as judge:
        right = await judge.verdict_on_code(task, 0, hostile.right)
        verdicts = await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for _, _, code in table))
        after = await judge.verdict_on_code(task, 0, hostile.right)
    assert (right.status, after.status) == (Status.PASS, Status.PASS), (right, after)
    judged = zip(table, verdicts, strict=True)
    assert {tries: v for (statuses, tries, _), v in judged if v.status not in statuses} == {}
