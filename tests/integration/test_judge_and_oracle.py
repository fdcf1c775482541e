"""The judge in the real sandbox: EvalPlus's parts, the oracle's cache, what cannot be scored."""

import asyncio
import json
import os
import shutil
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.sandbox import Bubblewrap, Limits, Program, Run, SandboxError
from evaluator.suites import Suite, Task, load_suite
from evaluator.verdict import Status, Verdict

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
]

PASS, FAIL = Status.PASS, Status.FAIL


class Counting(Bubblewrap):
    """Counts what it starts; breaks after ``lasts`` starts."""

    def __init__(self, lasts: int = 1000) -> None:
        super().__init__()
        self.started = 0
        self.lasts = lasts

    def start(self, program: Program, limits: Limits) -> AbstractAsyncContextManager[Run]:
        self.started += 1
        if self.started > self.lasts:
            raise SandboxError("the sandbox broke")
        return super().start(program, limits)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """``half``: base inputs 2, 4; plus inputs 3.0, 1e300 and a slow one."""
    rows = [
        {
            "task_id": "HumanEval/0",
            "prompt": "def half(x):\n",
            "entry_point": "half",
            "canonical_solution": "    return x / 2 + 0.0\n",
            "base_input": [[2], [4]],
            "plus_input": [[3.0], [1e300], [7]],
            "atol": 0,
        },
        {
            "task_id": "HumanEval/32",
            "prompt": "def find_zero(xs):\n",
            "entry_point": "find_zero",
            "canonical_solution": "    return -xs[0] / xs[1]\n",
            "base_input": [[[1, 2]]],
            "plus_input": [[[0, 5, -5]]],
            "atol": 0.0001,
        },
        {
            "task_id": "HumanEval/1",
            "prompt": "def broken(x):\n",
            "entry_point": "broken",
            "canonical_solution": "    return 1 / x\n",
            "base_input": [[1]],
            "plus_input": [[0]],
            "atol": 0,
        },
    ]
    path = tmp_path / "HumanEvalPlus.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return load_suite(str(path))


def task(suite: Suite, task_id: str) -> Task:
    found = suite.task(task_id)
    assert found is not None
    return found


async def verdicts(suite: Suite, cache: Path, task_id: str, *programs: str) -> list[Verdict]:
    async with Judge(suite, Bubblewrap(), parallel=2, cache=cache) as judge:
        one = task(suite, task_id)
        return list(await asyncio.gather(*(judge.verdict_on_code(one, 0, program) for program in programs)))


@pytest.mark.parametrize(
    ("body", "status", "base", "plus"),
    [
        ("return x / 2", PASS, PASS, PASS),
        ("return x // 2 if x in (2, 4) else x / 2", PASS, PASS, PASS),
        ("return x / 2 * (1 + 1e-9)", PASS, PASS, PASS),
        ("return x / 2 if x < 5 else 0", FAIL, PASS, FAIL),
        ("return x / 2 if x not in (2, 4) else 0", FAIL, FAIL, PASS),
        ("return x / 2 if x != 2 else 1 / 0", FAIL, FAIL, PASS),
        ("return x / 2 if x != 2 else __import__('os')._exit(0)", FAIL, FAIL, PASS),
        ("return 0", FAIL, FAIL, FAIL),
        ("return x / 2\nimport os\nos._exit(0)", FAIL, FAIL, FAIL),
        ("while x == 7: pass\n    return x / 2", Status.TIMEOUT, PASS, FAIL),
        ("while x == 2: pass\n    return x / 2", Status.TIMEOUT, FAIL, PASS),
        ("while x == 4: pass\n    return x / 2 if x != 2 else 0", FAIL, FAIL, PASS),
        ("while x == 4: pass\n    return x / 2 if x != 7 else 0", FAIL, FAIL, FAIL),
    ],
    ids=str,
)
async def test_base_and_plus_are_judged_apart(
    suite: Suite, tmp_path: Path, body: str, status: Status, base: Status, plus: Status
) -> None:
    [verdict] = await verdicts(suite, tmp_path, "HumanEval/0", f"def half(x):\n    {body}\n")
    assert (verdict.status, verdict.base, verdict.plus) == (status, base, plus), verdict.detail
    assert bool(verdict.detail) is (status is not PASS)


async def test_each_part_starts_afresh(suite: Suite, tmp_path: Path) -> None:
    program = "seen = []\ndef half(x):\n    seen.append(x)\n    assert len(seen) <= 3\n    return x / 2\n"
    [verdict] = await verdicts(suite, tmp_path, "HumanEval/0", program)
    assert verdict.status is PASS


async def test_another_root_is_right_too(suite: Suite, tmp_path: Path) -> None:
    other = "def find_zero(xs):\n    return 1.0 if len(xs) == 3 else -0.5\n"
    wrong = "def find_zero(xs):\n    return 2.0 if len(xs) == 3 else -0.5\n"
    right, failed = await verdicts(suite, tmp_path, "HumanEval/32", other, wrong)
    assert right.status is PASS
    assert (failed.base, failed.plus) == (PASS, FAIL)


@pytest.mark.parametrize("value", ["[float('nan')]", "iter([x])", "[object()]", "[float('inf'), -1.5]"])
async def test_what_equals_nothing_fails_also_where_the_canonical_solution_gives_it(tmp_path: Path, value: str) -> None:
    row = {
        "task_id": "HumanEval/2",
        "prompt": "def give(x):\n",
        "entry_point": "give",
        "canonical_solution": f"    return {value}\n",
        "base_input": [[1]],
        "plus_input": [[2]],
        "atol": 0,
    }
    path = tmp_path / "HumanEvalPlus.jsonl"
    path.write_text(json.dumps(row))
    [verdict] = await verdicts(load_suite(str(path)), tmp_path, "HumanEval/2", f"def give(x):\n    return {value}\n")
    assert verdict.status is (PASS if "inf" in value else FAIL)


async def test_a_canonical_solution_that_fails_leaves_its_task_unscorable(suite: Suite, tmp_path: Path) -> None:
    [verdict] = await verdicts(suite, tmp_path, "HumanEval/1", "def broken(x):\n    return 1\n")
    assert (verdict.status, verdict.base, verdict.plus) == (Status.UNSCORABLE, None, None)
    assert "canonical solution of HumanEval/1 failed: ZeroDivisionError" in verdict.detail


async def test_an_oracle_is_made_once_and_kept(suite: Suite, tmp_path: Path) -> None:
    half = task(suite, "HumanEval/0")
    for starts in (2, 1):
        sandbox = Counting()
        async with Judge(suite, sandbox, parallel=1, cache=tmp_path) as judge:
            assert judge.lacks_oracle(half) is (starts == 2)
            assert (await judge.verdict_on_code(half, 0, half.canonical_solution)).status is PASS
        assert sandbox.started == starts
    assert not any(name.startswith(".") for _, _, names in os.walk(tmp_path) for name in names)


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, b"not an oracle" * 9])
async def test_a_damaged_oracle_is_made_anew(suite: Suite, tmp_path: Path, damage: bytes) -> None:
    half = task(suite, "HumanEval/0")
    for _ in range(2):
        async with Judge(suite, Bubblewrap(), parallel=1, cache=tmp_path / "cache") as judge:
            assert (await judge.verdict_on_code(half, 0, half.canonical_solution)).status is PASS
        [made] = (tmp_path / "cache").rglob("HumanEval*")
        made.write_bytes(damage)


async def test_prepare_tells_how_far_it_is(suite: Suite, tmp_path: Path) -> None:
    done: list[str] = []
    async with Judge(suite, Bubblewrap(), parallel=2, cache=tmp_path) as judge:
        await judge.prepare(done=lambda task: done.append(task.task_id))
        assert sorted(done) == ["HumanEval/0", "HumanEval/1", "HumanEval/32"]
        done.clear()
        await judge.prepare(suite.tasks[:2], done=lambda task: done.append(task.task_id))
        assert done == []


async def test_a_sandbox_that_breaks_is_not_the_samples_fault(suite: Suite, tmp_path: Path) -> None:
    half = task(suite, "HumanEval/0")
    async with Judge(suite, Counting(lasts=1), parallel=1, cache=tmp_path) as judge:
        verdict = await judge.verdict_on_code(half, 0, half.canonical_solution)
    assert (verdict.status, verdict.detail) == (Status.UNSCORABLE, "the sandbox broke")


async def test_an_answer_without_code(suite: Suite, tmp_path: Path) -> None:
    async with Judge(suite, Bubblewrap(), cache=tmp_path) as judge:
        verdict = await judge.verdict(task(suite, "HumanEval/0"), 2, "I cannot.")
    assert verdict == Verdict("HumanEval/0", 2, Status.NO_CODE, FAIL, FAIL, "the answer holds no code")


async def test_packages_can_be_given(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "halves.py").write_text("def half(x):\n    return x / 2\n")
    half = task(suite, "HumanEval/0")
    async with Judge(suite, Bubblewrap(packages=tmp_path / "packages"), cache=tmp_path) as judge:
        assert (await judge.verdict_on_code(half, 0, "from halves import half\n")).status is PASS
    async with Judge(suite, Bubblewrap(), cache=tmp_path) as judge:
        verdict = await judge.verdict_on_code(half, 0, "from halves import half\n")
    assert verdict.detail == "base: ModuleNotFoundError: No module named 'halves'"
