"""Public suites in C, C++, Go and Rust: what is known to be right passes, and recorded verdicts come out again."""

import asyncio
import shutil
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.languages import LANGUAGES
from evaluator.replaying.samples import Sample, read_samples
from evaluator.sandbox import Bubblewrap
from evaluator.suites import Suite, Task, load_suite
from evaluator.verdict import Status, Verdict
from tests.fixtures.shared_data import SHARED_DATA, needs_shared_data, shared_rows

pytestmark = [
    needs_shared_data,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
]

CANONICAL = {
    "cpp": "humaneval-x/humaneval_cpp.jsonl.gz",
    "go": "humaneval-x/humaneval_go.jsonl.gz",
    "rust": "humaneval-x/humaneval_rust.jsonl.gz",
    "c": "c/decompile-eval.json",
}
FAULTY = {"Go/95"}
"""It looks at two keys of three, and Go's maps have no order: right or wrong by chance."""

SOLUTIONS = {
    "rs": {
        "HumanEval_23_strlen": ("fn strlen(string: String) -> isize { string.len() as isize }", "string.len()", "3"),
        "HumanEval_53_add": ("fn add(x: isize, y: isize) -> isize { x + y }", "x + y", "x - y"),
        "HumanEval_28_concatenate": (
            "fn concatenate(strings: Vec<String>) -> String { strings.concat() }",
            "concat()",
            'join(" ")',
        ),
        "HumanEval_42_incr_list": (
            "fn incr_list(l: Vec<isize>) -> Vec<isize> { l.iter().map(|x| x + 1).collect() }",
            "x + 1",
            "x + 2",
        ),
    },
    "go": {
        "HumanEval_53_add": ("func add(x int, y int) int { return x + y }", "x + y", "x - y"),
        "HumanEval_3_below_zero": (
            "func below_zero(xs []int) bool {\n\tsum := 0\n\tfor _, x := range xs {\n\t\tif sum += x; sum < 0 {\n"
            "\t\t\treturn true\n\t\t}\n\t}\n\treturn false\n}",
            "sum < 0",
            "sum <= 0",
        ),
        "HumanEval_42_incr_list": (
            "func incr_list(l []int) []int {\n\tvar a []int\n\tfor _, x := range l {\n\t\ta = append(a, x+1)\n\t}\n"
            "\treturn a\n}",
            "x+1",
            "x+2",
        ),
        "HumanEval_8_sum_product": (
            "func sum_product(ns []int) []interface{} {\n\ts, p := 0, 1\n\tfor _, x := range ns {\n\t\ts += x\n"
            "\t\tp *= x\n\t}\n\treturn []interface{}{s, p}\n}",
            "{s, p}",
            "{int64(s), int64(p)}",
        ),
    },
}
"""A right program of each task, and what makes it a wrong one: the last prints what is right, but of another type."""


def suite(path: str) -> Suite:
    return load_suite(str(SHARED_DATA / "suites" / path))


async def verdicts(of: Suite, programs: list[tuple[Task, str]], cache: Path) -> list[Verdict]:
    if missing := LANGUAGES[of.tasks[0].language].missing():
        pytest.skip(missing)
    async with Judge(of, Bubblewrap(), parallel=2, cache=cache) as judge:
        return list(await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for task, code in programs)))


async def canonical(language: str, every: int, cache: Path) -> None:
    of = suite(CANONICAL[language])
    assert len(of.tasks) == 164
    programs = [(task, task.canonical_solution) for task in of.tasks[::every] if task.task_id not in FAULTY]
    failed = [v for v in await verdicts(of, programs, cache) if v.status is not Status.PASS]
    assert failed == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", CANONICAL)
async def test_some_canonical_solutions_pass(language: str, tmp_path: Path) -> None:
    await canonical(language, 28, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize("language", CANONICAL)
async def test_every_canonical_solution_passes(language: str, tmp_path: Path) -> None:
    await canonical(language, 1, tmp_path)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", SOLUTIONS)
async def test_multipl_e_tells_right_from_wrong(language: str, tmp_path: Path) -> None:
    of = suite(f"multipl-e/humaneval-{language}.jsonl.gz")
    programs = []
    for task_id, (right, old, new) in SOLUTIONS[language].items():
        task = of.task(task_id)
        assert task is not None
        assert old in right
        head = "package x_test\n\n" if language == "go" else ""
        programs += [(task, head + right), (task, head + right.replace(old, new))]
    found = [verdict.status for verdict in await verdicts(of, programs, tmp_path)]
    assert found[::2] == [Status.PASS] * (len(programs) // 2)
    assert set(found[1::2]) <= {Status.FAIL, Status.COMPILE_ERROR}


async def recorded(every: int, cache: Path) -> None:
    of = suite("multipl-e/humaneval-cpp.jsonl.gz")
    folder = SHARED_DATA / "recorded" / "qwen2.5-coder-1.5b"
    rows = shared_rows("recorded/qwen2.5-coder-1.5b/multipl-e-cpp-verdicts.jsonl.gz")
    published = {row["task_id"]: row["passed"] for row in rows}
    samples: list[Sample] = read_samples(folder / "multipl-e-cpp-samples.jsonl.gz", of)[::every]
    assert all(sample.is_program for sample in samples)
    found = await verdicts(of, [(sample.task, sample.text) for sample in samples], cache)
    assert {v.task_id: v.status is Status.PASS for v in found} == {v.task_id: published[v.task_id] for v in found}


@pytest.mark.timeout(600)
async def test_some_published_verdicts_come_out_again(tmp_path: Path) -> None:
    await recorded(32, tmp_path)


@pytest.mark.full
async def test_every_published_verdict_comes_out_again(tmp_path: Path) -> None:
    await recorded(1, tmp_path)
