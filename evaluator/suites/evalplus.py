"""EvalPlus's files: HumanEval+ and MBPP+ (https://github.com/evalplus/evalplus).

The canonical solution completes the prompt, and expected values are what it returns.
"""

from dataclasses import replace

from evaluator.suites import mbpp_inputs, rows
from evaluator.suites.suite import FunctionCheck, Part, PartName, Row, Suite, SuiteError, Task

NAME = "evalplus"

MBPP_0_1_0 = "93bd570cf2e0385570cbb0f675d74cd9b01bad21ca6ce3f3793e5e2e7d542732"
"""The hash of MBPP+ 0.1.0: published verdicts on it followed the rules of its time."""

_SUITES = {"HumanEval/": "humaneval+", "Mbpp/": "mbpp+"}


def claims(row: Row) -> bool:
    return "base_input" in row and "plus_input" in row


def suite_name(row: Row, stem: str) -> str:
    task_id = rows.required(row, "task_id", str)
    return next((name for prefix, name in _SUITES.items() if task_id.startswith(prefix)), stem)


def task(row: Row) -> Task:
    task_id = rows.required(row, "task_id", str)
    prefix, _, number = task_id.partition("/")
    if f"{prefix}/" not in _SUITES or not number.isdecimal():
        raise SuiteError(f"{task_id!r} is no task of HumanEval+ or MBPP+", "EvalPlus's ids are HumanEval/0 and Mbpp/2")
    prompt = rows.required(row, "prompt", str)
    return Task(
        task_id=task_id,
        language="python",
        prompt=prompt,
        entry_point=rows.required(row, "entry_point", str),
        canonical_solution=prompt + rows.required(row, "canonical_solution", str),
        check=FunctionCheck(
            parts=(_part(row, task_id, "base", "base_input"), _part(row, task_id, "plus", "plus_input")),
            oracle="evalplus",
            atol=rows.number(row, "atol"),
        ),
    )


def as_released(suite: Suite) -> Suite:
    if suite.hash != MBPP_0_1_0:
        return suite
    tasks = [replace(task, check=replace(task.function_check, oracle="evalplus-before-sets")) for task in suite.tasks]
    return replace(suite, tasks=tuple(tasks))


def _part(row: Row, task_id: str, name: PartName, key: str) -> Part:
    inputs = [] if row.get(key) == {} else rows.required(row, key, list)  # MBPP+ 0.1.0 writes {} for no inputs
    if not all(isinstance(args, list) for args in inputs):
        raise SuiteError(f"{key!r} holds something that is no list of arguments", "write [[argument, ...], ...]")
    if not task_id.startswith("Mbpp/"):
        return Part(name, tuple(tuple(args) for args in inputs))
    return Part(name, tuple(mbpp_inputs.repaired(task_id, args) for args in inputs))
