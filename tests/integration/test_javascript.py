"""JavaScript in the real sandbox: what a solution may do, and what it may not bring about."""

import json
import shutil
from pathlib import Path

import pytest

from evaluator.judging.extract import extract
from evaluator.judging.judge import Judge
from evaluator.languages import JavaScript
from evaluator.sandbox import Bubblewrap
from evaluator.suites import FunctionCheck, Part, Suite, Task, load_suite
from evaluator.verdict import Status

RIGHT = "function twice(xs) { return xs.map((x) => 2 * x); }\n"
TASK = Task(
    "js/twice",
    "javascript",
    "// Doubles every number.\nfunction twice(xs) {\n",
    "twice",
    RIGHT,
    FunctionCheck((Part("tests", (([1, 2.5],), ([],), ([2**40],)), ([2, 5], [], [2**41])),), oracle="exact"),
)
SUITE = Suite("js", "weighbridge", "0" * 64, (TASK,))

needs_tools = pytest.mark.skipif(
    shutil.which("bwrap") is None or shutil.which("node") is None, reason="needs bubblewrap and nodejs"
)

PROGRAMS = [
    (RIGHT, Status.PASS),
    ("const twice = async (xs) => xs.map((x) => x + x);\nmodule.exports = { twice };", Status.PASS),
    ("const fs = require('fs'), vm = 1; class Writer {} function encode() {}\n" + RIGHT, Status.PASS),
    ("console.log('noise'); console.error('noise');\n" + RIGHT, Status.PASS),
    ("console.assert(false, 'stops nothing');\n" + RIGHT, Status.PASS),
    ("function twice(xs) { return xs; }", Status.FAIL),
    ("function twice(xs) { return new Set(xs.map((x) => 2 * x)); }", Status.FAIL),
    ("function twice(xs) { return xs.map((x) => String(2 * x)); }", Status.FAIL),
    ("function twice(xs) { process.exit(0); }", Status.FAIL),
    ("process.exit(0);\n" + RIGHT, Status.FAIL),
    ("function twice(xs) { throw new Error('no'); }", Status.FAIL),
    ("function other() {}", Status.FAIL),
    ("function twice(xs) { const a = []; a.push(a); return a; }", Status.FAIL),
    ("function twice(xs) { return new Proxy([], { get() { throw 1; } }); }", Status.FAIL),
    ("function twice(xs) { while (true) {} }", Status.TIMEOUT),
    ("let calls = 0;\nfunction twice(xs) { if (calls++) while (true) {} return xs; }", Status.FAIL),
    ("function twice(xs) { if (!xs.length) while (true) {} return xs.map((x) => 2 * x); }", Status.TIMEOUT),
    ("function twice(xs) { return new Promise(() => setInterval(() => {}, 1e6)); }", Status.TIMEOUT),
    ("function twice(xs) {", Status.COMPILE_ERROR),
]


@needs_tools
@pytest.mark.parametrize(("code", "status"), PROGRAMS, ids=range(len(PROGRAMS)))
async def test_programs(code: str, status: Status, tmp_path: Path) -> None:
    async with Judge(SUITE, Bubblewrap(), parallel=1, cache=tmp_path) as judge:
        verdict = await judge.verdict_on_code(TASK, 0, code)
    assert verdict.status is status, verdict


def test_a_machine_without_node_is_told_what_to_install() -> None:
    assert JavaScript(path="/nowhere").missing() == "node is missing; install it: apt-get install nodejs"


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (f"Here:\n```js\n{RIGHT}```\nIt doubles.", RIGHT),
        (f"```\nnpm install\n```\n```javascript\n{RIGHT}```", RIGHT),
        (RIGHT, RIGHT),
        (f"Sure, here it is:\n{RIGHT}That is all", RIGHT),
        ("```js\n  return xs.map((x) => 2 * x);\n```", TASK.prompt + "  return xs.map((x) => 2 * x);\n}\n"),
        ("  return xs;\n}\n", TASK.prompt + "  return xs;\n}\n"),
        ("I cannot help with that", None),
    ],
)
def test_extraction(answer: str, program: str | None) -> None:
    assert extract(answer, TASK) == program


def test_our_format_takes_it(tmp_path: Path) -> None:
    row = {"task_id": "a", "language": "javascript", "entry_point": "one", "prompt": "function one() {\n"}
    row |= {"canonical_solution": "function one() { return 1; }"}
    path = tmp_path / "team.jsonl"
    path.write_text(json.dumps({**row, "tests": [{"args": [], "expected": 1}]}))
    assert load_suite(str(path)).tasks[0].language == "javascript"
