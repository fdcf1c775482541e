"""Public suites in Java, JavaScript and Python: published verdicts found again, and canonical solutions, which pass.

`make test` takes a slice of each; `pytest -m full` takes all.
"""

import asyncio
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.languages import LANGUAGES
from evaluator.replaying.samples import read_samples
from evaluator.sandbox import Bubblewrap
from evaluator.suites import Suite, Task, load_suite
from evaluator.verdict import Status, Verdict
from tests.fixtures.shared_data import SHARED_DATA, needs_shared_data, shared_rows

pytestmark = [
    needs_shared_data,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(1200),
]

RECORDED = "recorded/qwen2.5-coder-1.5b/multipl-e"

DIFFERENCES = {
    "HumanEval_51_remove_vowels": True,  # its tests hold a string that a line break cuts in two: no program can pass
    "HumanEval_69_search": False,  # it returns "1" for 1, which node's deepEqual takes for equal
    "HumanEval_71_triangle_area": False,  # it returns "6.00" for 6
}
"""JavaScript's: what we say against the published verdict."""

WRONG_CANONICAL = {
    "JavaScript/112": "`return (z, true)` is a comma expression: it returns true alone, not the pair",
    "JavaScript/155": "evenOddCount(0) is [0, 0], and the test wants [1, 0]",
}
"""HumanEval-X's own mistakes: `console.assert` fails no process, so that nobody has seen them."""


async def judged(suite: Suite, programs: Iterable[tuple[Task, str]], cache: Path) -> dict[str, Verdict]:
    [language] = {task.language for task in suite.tasks}
    if missing := LANGUAGES[language].missing():
        pytest.skip(missing)
    async with Judge(suite, Bubblewrap(), parallel=2, cache=cache) as judge:
        verdicts = await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for task, code in programs))
    return {verdict.task_id: verdict for verdict in verdicts}


async def against_published(language: str, every: int, cache: Path) -> dict[str, bool]:
    """Our verdicts that differ from the published ones, among every so-manyth sample and the known differences."""
    suite = load_suite(str(SHARED_DATA / f"suites/multipl-e/humaneval-{language}.jsonl.gz"))
    samples = read_samples(SHARED_DATA / f"{RECORDED}-{language}-samples.jsonl.gz", suite)
    chosen = [s for i, s in enumerate(samples) if i % every == 0 or s.task.task_id in DIFFERENCES]
    ours = await judged(suite, [(sample.task, sample.text) for sample in chosen], cache)
    published = {row["task_id"]: row["passed"] for row in shared_rows(f"{RECORDED}-{language}-verdicts.jsonl.gz")}
    passed = {task_id: verdict.status is Status.PASS for task_id, verdict in ours.items()}
    return {task_id: was for task_id, was in passed.items() if was is not published[task_id]}


@pytest.mark.parametrize(("language", "every"), [("java", 16), ("js", 8)])
async def test_published_verdicts(language: str, every: int, tmp_path: Path) -> None:
    assert await against_published(language, every, tmp_path) == (DIFFERENCES if language == "js" else {})


@pytest.mark.full
@pytest.mark.parametrize("language", ["java", "js"])
async def test_all_published_verdicts(language: str, tmp_path: Path) -> None:
    assert await against_published(language, 1, tmp_path) == (DIFFERENCES if language == "js" else {})


async def failing(language: str, every: int, cache: Path) -> set[str]:
    """Canonical solutions that do not pass, among every so-manyth and those that are known to be wrong."""
    suite = load_suite(str(SHARED_DATA / f"suites/humaneval-x/humaneval_{language}.jsonl.gz"))
    chosen = [task for i, task in enumerate(suite.tasks) if i % every == 0 or task.task_id in WRONG_CANONICAL]
    verdicts = await judged(suite, [(task, task.canonical_solution) for task in chosen], cache)
    return {task_id for task_id, verdict in verdicts.items() if verdict.status is not Status.PASS}


@pytest.mark.parametrize(("language", "every"), [("java", 16), ("js", 8), ("python", 8)])
async def test_canonical_solutions(language: str, every: int, tmp_path: Path) -> None:
    assert await failing(language, every, tmp_path) == (set(WRONG_CANONICAL) if language == "js" else set())


@pytest.mark.full
@pytest.mark.parametrize("language", ["java", "js", "python"])
async def test_all_canonical_solutions(language: str, tmp_path: Path) -> None:
    assert await failing(language, 1, tmp_path) == (set(WRONG_CANONICAL) if language == "js" else set())


async def test_a_task_needs_a_package_that_lies_beside_its_tests(tmp_path: Path) -> None:
    """Task 162 asks for js-md5, which Debian does not have."""
    suite = load_suite(str(SHARED_DATA / "suites/humaneval-x/humaneval_js.jsonl.gz"))
    task = suite.task("JavaScript/162")
    assert task is not None
    assert "require('js-md5')" in task.canonical_solution
    verdicts = await judged(suite, [(task, task.canonical_solution)], tmp_path)
    assert verdicts["JavaScript/162"].status is Status.PASS
