"""A hostile program of every language that has a table of them, in the sandboxes that bring their own toolchains."""

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
from tests.conformance.test_hostile_cobol_fortran import COBOL, FORTRAN, whole
from tests.conformance.test_hostile_compiled import RIGHT, ROWS
from tests.conformance.test_hostile_programs import TARGETS
from tests.fixtures.docker import BUILD_S
from tests.fixtures.sandboxes import Entered, entered
from tests.fixtures.twice import TWICE, twice_suite

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(BUILD_S)]

ROOMY = Limits(memory_bytes=1 << 30, processes=64, tmp_bytes=64 << 20)
SECONDS = 20.0  # generous: these machines within the machine are slow, and only programs that end are tried here
EACH = 1
"""Programs of a table; all of them are tried where they are judged in a second (the other hostile tests)."""


@dataclass(frozen=True)
class Hostile:
    table: str
    right: str
    row: dict[str, object] | None = None
    """In its suite's format; None: others make it."""

    def suite(self, folder: Path) -> Suite:
        if self.table in TWICE:
            return twice_suite(self.table, folder)
        path = folder / "suite.jsonl"
        if self.row is None:
            whole(self.table, folder)
        else:
            path.write_text(json.dumps(self.row))
        return load_suite(str(path))

    def programs(self) -> list[str]:
        """Those that end by themselves and get nothing but a fail."""
        text = Path(__file__).with_name(f"hostile_{self.table}.txt").read_text()
        return re.findall(r"^=== fail: .+\n((?:(?!=== ).*\n)+)", text, re.MULTILINE)


FUNCTION = {
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
    **{name: Hostile(target.language, target.right, target.row) for name, target in TARGETS.items()},
}


@pytest_asyncio.fixture(params=["docker", "gvisor"], scope="module", loop_scope="module")
async def elsewhere(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with entered(request.param, request) as box:
        yield box


@pytest.mark.parametrize("name", ALL)
async def test_no_cheat_pays(elsewhere: Sandbox, name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    hostile = ALL[name]
    if name in ROWS and elsewhere.name == "gvisor" and "full" not in request.config.option.markexpr:
        pytest.skip("compilers are slow in gVisor: with `pytest -m full` only")
    suite = hostile.suite(tmp_path)
    (task,) = suite.tasks
    programs = hostile.programs()
    assert programs
    if "full" not in request.config.option.markexpr:
        programs = programs[:EACH]
    box = Entered(elsewhere)
    async with Judge(suite, box, parallel=2, limits=ROOMY, cache=tmp_path, run_seconds=SECONDS) as judge:
        right = await judge.verdict_on_code(task, 0, hostile.right)
        assert right.status is Status.PASS, right
        for code in programs:
            verdict = await judge.verdict_on_code(task, 0, code)
            assert verdict.status is Status.FAIL, (verdict, code)
