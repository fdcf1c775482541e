"""The suite that Weighbridge ships: its own answers, judged for real."""

import asyncio
import doctest
import shutil
from collections import Counter
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.sandbox import Bubblewrap
from evaluator.suites import Suite, Task, load_suite
from evaluator.verdict import Status, Verdict

SUITE = load_suite("builtin")


async def _verdicts(suite: Suite, programs: list[tuple[str, str]], cache: Path) -> list[Verdict]:
    async with Judge(suite, Bubblewrap(), parallel=2, cache=cache) as judge:
        tasks = {task.task_id: task for task in suite.tasks}
        asked = [judge.verdict_on_code(tasks[task_id], n, code) for n, (task_id, code) in enumerate(programs)]
        return list(await asyncio.gather(*asked))


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)")
@pytest.mark.skipif(shutil.which("node") is None, reason="needs node (apt-get install nodejs)")
async def test_every_canonical_solution_passes_and_every_wrong_one_fails(tmp_path: Path) -> None:
    right = [(task.task_id, task.canonical_solution) for task in SUITE.tasks]
    wrong = [(task.task_id, code) for task in SUITE.tasks for code in task.wrong_solutions]
    verdicts = await _verdicts(SUITE, right + wrong, tmp_path)
    passed = {(verdict.task_id, verdict.sample) for verdict in verdicts if verdict.status is Status.PASS}
    assert passed == {(task_id, number) for number, (task_id, _) in enumerate(right)}, verdicts
    assert {verdict.status for verdict in verdicts[len(right) :]} == {Status.FAIL}


@pytest.mark.parametrize("task", SUITE.tasks, ids=lambda task: task.task_id)
def test_a_task_is_well_covered(task: Task) -> None:
    [part] = task.check.parts
    assert len(part.inputs) >= 8
    assert len(set(task.wrong_solutions)) == 2
    assert task.canonical_solution.startswith(task.prompt), "the prompt is the beginning of its solution"


@pytest.mark.parametrize("task", [t for t in SUITE.tasks if t.language == "python"], ids=lambda task: task.task_id)
def test_a_task_explains_itself(task: Task) -> None:
    scope: dict[str, object] = {"__name__": "solution"}
    exec(compile(task.canonical_solution, task.task_id, "exec"), scope)
    function = scope[task.entry_point]
    examples = doctest.DocTestParser().get_doctest(str(function.__doc__), scope, task.task_id, None, 0)
    assert len(examples.examples) >= 2
    assert doctest.DocTestRunner(verbose=False).run(examples).failed == 0


def test_there_are_enough_tasks_and_no_two_alike() -> None:
    assert Counter(task.language for task in SUITE.tasks) == {"python": 16, "javascript": 8}
    assert len({task.prompt for task in SUITE.tasks}) == 24
