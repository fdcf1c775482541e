"""Java, C#, JavaScript, TypeScript and Python that would rather be scored than right, as solutions of public suites."""

import asyncio
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.languages import LANGUAGES
from evaluator.sandbox import Bubblewrap, Limits
from evaluator.suites import Suite, load_suite
from evaluator.verdict import Status, Verdict
from tests.fixtures.sandboxes import with_its_time

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
]

SMALL = Limits(memory_bytes=384 << 20, processes=40, tmp_bytes=16 << 20)
SECONDS = 3.0
"""For a run, and at least as much again when it runs alone."""

PAIRS: tuple[tuple[list[int], list[int]], ...] = (([1, 2], [2, 4]), ([], []), ([3], [6]), ([-1, 0, 7], [-2, 0, 14]))


def java_list(xs: list[int]) -> str:
    return f"(new ArrayList<Long>(Arrays.asList({', '.join(f'(long){x}l' for x in xs)})))"


def csharp_list(xs: list[int]) -> str:
    return f"(new List<long>(new long[]{{{', '.join(f'(long){x}L' for x in xs)}}}))"


def multipl_e(language: str) -> dict[str, object]:
    if language == "java":
        head = "    }\n    public static void main(String[] args) {\n"
        lines = [f"    assert(twice({java_list(xs)}).equals({java_list(ys)}));\n" for xs, ys in PAIRS]
        tests = head + "".join(lines) + "    }\n\n}\n"
    elif language == "cs":
        head = "    }\n    public static void Main(string[] args) {\n"
        lines = [f"    Debug.Assert(Twice({csharp_list(xs)}).Equals({csharp_list(ys)}));\n" for xs, ys in PAIRS]
        tests = head + "".join(lines) + "    }\n\n}\n"
    else:
        head = "const assert = require('node:assert');\n\n\nfunction test() {\n  let candidate = twice;\n"
        lines = [f"  assert.deepEqual(candidate({xs}),{ys});\n" for xs, ys in PAIRS]
        tests = head + "".join(lines) + "}\n\ntest();"
    return {"name": "HumanEval_900_twice", "language": language, "prompt": "", "tests": tests, "stop_tokens": []}


def humaneval_x(name: str) -> dict[str, object]:
    if name == "JavaScript":
        lines = [f"  console.assert(JSON.stringify(twice({xs})) === JSON.stringify({ys}))\n" for xs, ys in PAIRS]
        test = f"const testTwice = () => {{\n{''.join(lines)}}}\n\ntestTwice()\n"
        declaration = "const twice = (xs) => {\n"
    else:
        lines = [f"    assert twice({xs}) == {ys}\n" for xs, ys in PAIRS]
        test = f"def check(twice):\n{''.join(lines)}\ncheck(twice)\n"
        declaration = "def twice(xs):\n"
    row = {"task_id": f"{name}/900", "prompt": declaration, "declaration": declaration, "test": test}
    return {**row, "canonical_solution": "", "example_test": ""}


@dataclass(frozen=True)
class Target:
    language: str
    row: dict[str, object]
    right: str
    table: str


JAVASCRIPT = "function twice(xs) { return xs.map((x) => 2 * x); }\n"
TARGETS = {
    "java": Target(
        "java",
        multipl_e("java"),
        "import java.util.*;\nimport java.util.stream.*;\nclass Problem {\n"
        "    public static ArrayList<Long> twice(ArrayList<Long> xs) {\n"
        "        return xs.stream().map(x -> 2 * x).collect(Collectors.toCollection(ArrayList::new));\n    }\n}\n",
        "java",
    ),
    "csharp": Target(
        "csharp",
        multipl_e("cs"),
        "using System.Collections.Generic;\nusing System.Linq;\nclass Problem {\n"
        "    public static List<long> Twice(List<long> xs) { return xs.Select(x => 2 * x).ToList(); }\n}\n",
        "csharp",
    ),
    "javascript called": Target("javascript", multipl_e("js"), JAVASCRIPT, "javascript"),
    "javascript beside its tests": Target("javascript", humaneval_x("JavaScript"), JAVASCRIPT, "javascript"),
    "typescript": Target(
        "typescript", multipl_e("ts"), JAVASCRIPT.replace("(xs)", "(xs: number[]): number[]"), "typescript"
    ),
    "python beside its tests": Target(
        "python", humaneval_x("Python"), "def twice(xs): return [2 * x for x in xs]\n", "python_beside_tests"
    ),
}


def programs(table: str) -> list[tuple[str, str, str]]:
    """What each must get, what it tries, and the program."""
    text = Path(__file__).with_name(f"hostile_{table}.txt").read_text()
    return re.findall(r"^=== (.+?): (.+)\n((?:(?!=== ).*\n)+)", text, re.MULTILINE)


def load(target: Target, directory: Path) -> Suite:
    (directory / "twice.jsonl").write_text(json.dumps(target.row))
    return load_suite(str(directory / "twice.jsonl"))


async def judged(target: Target, codes: Mapping[str, str], directory: Path) -> dict[str, Verdict]:
    """The programs' verdicts, and right ones before and after, which must pass."""
    suite = load(target, directory)
    task = with_its_time(*suite.tasks, target.right)
    sandbox = Bubblewrap()
    async with Judge(suite, sandbox, parallel=2, limits=SMALL, cache=directory, run_seconds=SECONDS) as judge:
        before = await judge.verdict_on_code(task, 0, target.right)
        verdicts = await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for code in codes.values()))
        after = await judge.verdict_on_code(task, 0, target.right)
    assert (before.status, after.status) == (Status.PASS, Status.PASS), (before, after)
    return dict(zip(codes, verdicts, strict=True))


@pytest.mark.parametrize("name", TARGETS)
async def test_no_cheat_pays(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    if missing := LANGUAGES[target.language].missing():
        pytest.skip(missing)
    table = programs(target.table)
    wanted = {trick: statuses.split(" or ") for statuses, trick, _ in table}
    verdicts = await judged(target, {trick: code for _, trick, code in table}, tmp_path)
    assert len(wanted) == len(table) > 10
    assert {trick: v for trick, v in verdicts.items() if v.status not in wanted[trick]} == {}
    assert all(verdict.detail for verdict in verdicts.values())
