"""EvalPlus's files: HumanEval+ (https://github.com/evalplus/humanevalplus_release).

The canonical solution completes the prompt, and expected values are what it returns.
"""

from evaluator.suites import rows
from evaluator.suites.suite import FunctionCheck, Part, PartName, Row, SuiteError, Task

NAME = "evalplus"


def claims(row: Row) -> bool:
    return "base_input" in row and "plus_input" in row


def suite_name(row: Row, stem: str) -> str:
    return "humaneval+"


def task(row: Row) -> Task:
    task_id = rows.required(row, "task_id", str)
    if not task_id.startswith("HumanEval/"):
        raise SuiteError(f"{task_id!r} is no HumanEval+ task", "of EvalPlus's suites only HumanEval+ is read")
    prompt = rows.required(row, "prompt", str)
    return Task(
        task_id=task_id,
        language="python",
        prompt=prompt,
        entry_point=rows.required(row, "entry_point", str),
        canonical_solution=prompt + rows.required(row, "canonical_solution", str),
        check=FunctionCheck(
            parts=(_part(row, "base", "base_input"), _part(row, "plus", "plus_input")),
            oracle="evalplus",
            atol=rows.number(row, "atol"),
        ),
    )


def _part(row: Row, name: PartName, key: str) -> Part:
    inputs = rows.required(row, key, list)
    if not all(isinstance(args, list) for args in inputs):
        raise SuiteError(f"{key!r} holds something that is no list of arguments", "write [[argument, ...], ...]")
    return Part(name, tuple(tuple(args) for args in inputs))
