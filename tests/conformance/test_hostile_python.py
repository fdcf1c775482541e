"""Programs that would rather be scored than right. Each one fails, and the judge goes on as if nothing had been."""

import asyncio
import json
import re
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.sandbox import Bubblewrap, Limits
from evaluator.suites import Suite, load_suite
from evaluator.verdict import Status, Verdict

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
]

SMALL = Limits(memory_bytes=256 << 20, processes=24, tmp_bytes=8 << 20)
PROGRAMS = re.findall(
    r"^=== (?P<statuses>.+?): (?P<name>.+)\n(?P<code>(?:(?!===).*\n)+)",
    Path(__file__).with_name("hostile_python.txt").read_text(),
    re.MULTILINE,
)
UNCOMPILABLE = {
    "a null byte": "def twice(xs):\n    return xs\0",
    "a lone surrogate": "def twice(xs):\n    return '\ud800'",
    "nested too deeply": "def twice(xs):\n    return " + "(" * 5000 + ")" * 5000,
}


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    task = {
        "task_id": "twice",
        "language": "python",
        "prompt": "def twice(xs):\n",
        "entry_point": "twice",
        "canonical_solution": "def twice(xs):\n    return [2 * x for x in xs]\n",
        "tests": [{"args": [xs], "expected": [2 * x for x in xs]} for xs in ([1, 2], [], [3], [-1, 0, 7])],
    }
    (tmp_path / "twice.jsonl").write_text(json.dumps(task))
    return load_suite(str(tmp_path / "twice.jsonl"))


async def judged(suite: Suite, programs: Mapping[str, str], cache: Path) -> dict[str, Verdict]:
    """The programs' verdicts, and right ones before and after, which must pass."""
    (task,) = suite.tasks
    right = task.canonical_solution
    async with Judge(suite, Bubblewrap(), parallel=2, limits=SMALL, cache=cache) as judge:
        before = await judge.verdict_on_code(task, 0, right)
        verdicts = await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for code in programs.values()))
        after = await judge.verdict_on_code(task, 0, right)
    assert (before.status, after.status) == (Status.PASS, Status.PASS), (before, after)
    return dict(zip(programs, verdicts, strict=True))


@pytest.mark.parametrize("statuses", sorted({statuses for statuses, _, _ in PROGRAMS}))
async def test_no_cheat_pays(suite: Suite, tmp_path: Path, statuses: str) -> None:
    programs = {name: code for theirs, name, code in PROGRAMS if theirs == statuses}
    verdicts = await judged(suite, programs, tmp_path)
    assert {name: v for name, v in verdicts.items() if v.status not in statuses.split(" or ")} == {}
    assert all(verdict.detail for verdict in verdicts.values())


async def test_what_does_not_compile(suite: Suite, tmp_path: Path) -> None:
    verdicts = await judged(suite, UNCOMPILABLE, tmp_path)
    assert {verdict.status for verdict in verdicts.values()} == {Status.COMPILE_ERROR}


async def test_nothing_of_a_sample_remains(suite: Suite, tmp_path: Path) -> None:
    marker = f"left-{uuid.uuid4().hex}"
    code = f"""
import os, subprocess
def twice(xs):
    open("/tmp/{marker}", "w").close()
    if os.fork() == 0:
        os.setsid()
        subprocess.Popen(["sleep", "1000", "{marker}"])
        os.execvp("sleep", ["sleep", "1000", "{marker}"])
    return [2 * x for x in xs]
"""
    sees = f'import os\ndef twice(xs):\n    return os.path.exists("/tmp/{marker}") or [2 * x for x in xs]'
    assert (await judged(suite, {"leaves": code, "looks": sees}, tmp_path)).keys() == {"leaves", "looks"}
    assert leftovers(marker) == []


def leftovers(marker: str) -> list[Path]:
    """Processes whose command line, and files in /tmp whose name holds the marker."""
    processes = [path for path in Path("/proc").glob("[0-9]*/cmdline") if marker in _text(path)]
    return processes + list(Path("/tmp").glob(f"*{marker}*"))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
