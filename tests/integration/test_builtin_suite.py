"""The suite that Weighbridge ships: its own answers, judged for real, in every language."""

import doctest
import shutil
from collections import Counter
from pathlib import Path

import pytest

from evaluator.judging.extract import extract
from evaluator.judging.judge import Judge
from evaluator.judging.suite_check import check
from evaluator.languages import LANGUAGES
from evaluator.sandbox import Bubblewrap
from evaluator.suites import FunctionCheck, StdioCheck, Suite, Task, WordsCheck, load_suite

SUITE = load_suite("builtin")
needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"
)
_AT_ONCE = frozenset({"python", "javascript"})


def tasks_in(language: str) -> list[Task]:
    return [task for task in SUITE.tasks if task.language == language]


async def problems(language: str, tasks: list[Task], cache: Path) -> list[str]:
    if missing := LANGUAGES[language].missing():
        pytest.skip(f"{missing} (or all: deploy/setup/toolchains.sh)")
    suite = Suite(SUITE.name, SUITE.format, SUITE.hash, tuple(tasks))
    async with Judge(suite, Bubblewrap(), parallel=2, cache=cache) as judge:
        results = await check(judge, tasks)
    return [f"{r.task.task_id} {r.wrong}: {r.verdict.status} {r.verdict.detail}" for r in results if not r.as_it_should]


@needs_bubblewrap
@pytest.mark.timeout(600)
@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_canonical_solutions_pass_and_wrong_ones_fail(language: str, tmp_path: Path) -> None:
    """Every fourth task, where programs are compiled."""
    tasks = tasks_in(language)
    assert await problems(language, tasks if language in _AT_ONCE else tasks[::4], tmp_path) == []


@needs_bubblewrap
@pytest.mark.full
@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - _AT_ONCE))
async def test_all_canonical_solutions_pass_and_all_wrong_ones_fail(language: str, tmp_path: Path) -> None:
    assert await problems(language, tasks_in(language), tmp_path) == []


@pytest.mark.parametrize("task", SUITE.tasks, ids=lambda task: task.task_id)
def test_a_task_is_well_covered(task: Task) -> None:
    assert task.task_id.startswith(f"{task.language}/")
    assert task.canonical_solution
    assert len({task.canonical_solution, *task.wrong_solutions}) >= 3
    if isinstance(task.check, FunctionCheck):
        [part] = task.check.parts
        assert len(part.inputs) >= 8
        assert task.canonical_solution.startswith(task.prompt), "the prompt is the beginning of its solution"
    elif isinstance(task.check, StdioCheck):
        assert len(set(task.check.cases)) >= 4
    else:
        assert isinstance(task.check, WordsCheck)
        assert len(task.check.rest) >= 4


@pytest.mark.parametrize("task", SUITE.tasks, ids=lambda task: task.task_id)
def test_its_solution_is_found_in_an_answer(task: Task) -> None:
    code = task.canonical_solution
    fence = f"```{task.language}\n{code}```"
    for answer in (code, fence, f"Sure:\n\n{fence}\nIt reads lines.", f"```\n{code}```", f"```{task.language}\n{code}"):
        found = extract(answer, task)
        assert found is not None
        assert found.strip() == code.strip()


@pytest.mark.parametrize("task", tasks_in("python"), ids=lambda task: task.task_id)
def test_a_task_explains_itself(task: Task) -> None:
    scope: dict[str, object] = {"__name__": "solution"}
    exec(compile(task.canonical_solution, task.task_id, "exec"), scope)
    function = scope[task.entry_point]
    examples = doctest.DocTestParser().get_doctest(str(function.__doc__), scope, task.task_id, None, 0)
    assert len(examples.examples) >= 2
    assert doctest.DocTestRunner(verbose=False).run(examples).failed == 0


def test_there_are_enough_tasks_in_every_language_and_no_two_alike() -> None:
    counts = Counter(task.language for task in SUITE.tasks)
    assert counts.keys() == LANGUAGES.keys()
    assert {language for language, count in counts.items() if count < 8} == set()
    assert len({(task.language, task.prompt) for task in SUITE.tasks}) == len(SUITE.tasks)
