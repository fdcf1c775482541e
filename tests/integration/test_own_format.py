"""Our own format's checks of whole programs, judged for real: cases, and test files with their secret words."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.sandbox import Bubblewrap
from evaluator.suites import load_suite
from evaluator.verdict import Status

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++ (apt-get install g++)"),
]

ADD = "int add(int a, int b) { return a + b; }\n"
TEST_FILE = """#include <cstdio>
{{solution}}
int main() {
    if (add(1, 2) == 3) std::puts("{{passed}}");
    bool all = true;
    for (int a = -3; a < 4; a++) all = all && add(a, -a) == 0;
    if (all) std::puts("{{passed}}");
}
"""
SUM = '#include <iostream>\nint main() { long long a, b; std::cin >> a >> b; std::cout << a + b << "\\n"; }\n'


async def statuses(tmp_path: Path, check: dict[str, object], programs: Sequence[str]) -> list[Status]:
    row = {"task_id": "add", "language": "cpp", "prompt": "int add(int a, int b);", "canonical_solution": "", **check}
    (tmp_path / "own.jsonl").write_text(json.dumps(row))
    suite = load_suite(str(tmp_path / "own.jsonl"))
    async with Judge(suite, Bubblewrap(), parallel=2, cache=tmp_path) as judge:
        asked = (judge.verdict_on_code(suite.tasks[0], n, code) for n, code in enumerate(programs))
        return [verdict.status for verdict in await asyncio.gather(*asked)]


@pytest.mark.timeout(600)
async def test_a_test_file_wants_every_word_and_a_good_end(tmp_path: Path) -> None:
    programs = {
        ADD: Status.PASS,
        'static int said = std::puts("passed");\n' + ADD: Status.PASS,
        "int add(int a, int b) { return a - b; }\n": Status.FAIL,
        "int add(int a, int b) { return 3; }\n": Status.FAIL,
        "#include <cstdlib>\nint add(int a, int b) { std::exit(0); }\n": Status.FAIL,
        "#include <cstdlib>\nstatic int gone = (std::exit(0), 0);\n" + ADD: Status.FAIL,
        "#include <cstdlib>\nstatic int bad = std::atexit([] { std::_Exit(3); });\n" + ADD: Status.FAIL,
        "int add(int a, int b) { return a + b }\n": Status.COMPILE_ERROR,
        "int add(int a, int b) { return 0; }\n#define if(x) if (true)\n": Status.FAIL,
    }
    assert await statuses(tmp_path, {"test_file": TEST_FILE}, list(programs)) == list(programs.values())


@pytest.mark.timeout(600)
async def test_cases_want_every_output_and_a_good_end(tmp_path: Path) -> None:
    programs = {
        SUM: Status.PASS,
        SUM.replace("a + b", "a - b"): Status.FAIL,
        SUM.replace("; }", "; return 1; }"): Status.FAIL,
        'int main() { __builtin_puts("3"); }': Status.FAIL,
    }
    cases = [{"stdin": "1 2\n", "expected": "3"}, {"stdin": "4 0", "expected": "4\n"}]
    assert await statuses(tmp_path, {"cases": cases}, list(programs)) == list(programs.values())
