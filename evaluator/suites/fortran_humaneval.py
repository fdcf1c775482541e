"""Fortran-HumanEval (https://github.com/GiuLeo01/Fortran-HumanEval): whole programs, standard input and output.

The file is one JSON list without ids: tasks are numbered from 0, as in the answers published with it. What is asked
says how values are written, in the words of that project's system prompt. ``judging.compare_fortran`` is its oracle.
"""

import hashlib
import json
import re
from dataclasses import replace

from evaluator.suites import rows
from evaluator.suites.suite import Case, Row, StdioCheck, Suite, SuiteError, Task

NAME = "fortran-humaneval"

_RULES = """\
Read the parameters from standard input, one after the other on lines of their own, the elements of an array separated
by blanks. Write the result to standard output as the example does. Write [s] for a blank within an array's string.
"""
_NAME = re.compile(r"(\w+)\s*\(")


def claims(row: Row) -> bool:
    return {"task", "signature", "example", "tests"} <= row.keys()


def suite_name(row: Row, stem: str) -> str:
    return "fortran-humaneval"


def task(row: Row) -> Task:
    signature = rows.required(row, "signature", str)
    asked = rows.required(row, "task", str), f"Pseudocode signature: {signature}"
    lines = "\n".join([*asked, f"Example: {rows.required(row, 'example', str)}", *_RULES.splitlines()]).split("\n")
    named = _NAME.search(signature)
    cases = tuple(_case(test, number) for number, test in enumerate(rows.required(row, "tests", list), 1))
    if named is None or not cases:
        raise SuiteError("no function in 'signature', or nothing in 'tests'", "give Fortran-HumanEval's own tasks")
    return Task(
        task_id=hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest(),
        language="fortran",
        prompt="".join(f"! {line.strip()}\n" for line in lines),
        entry_point=named.group(1),
        canonical_solution="",
        check=StdioCheck(cases, "fortran-humaneval"),
    )


def as_released(suite: Suite) -> Suite:
    """Tasks by their number in the file."""
    tasks = (replace(task, task_id=f"Fortran-HumanEval/{number}") for number, task in enumerate(suite.tasks))
    return replace(suite, tasks=tuple(tasks))


def _case(test: object, number: int) -> Case:
    if not isinstance(test, dict) or test.keys() != {"input", "output"}:
        raise SuiteError(f"test {number} is no input and output", 'write {"input": ..., "output": ...}')
    return Case(f"{test['input']}\n", json.dumps(test["output"]))
