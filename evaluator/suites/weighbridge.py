"""Our own format: JSON lines that a team writes for its own tasks.

    {"task_id": "invoice/3", "language": "python", "entry_point": "total",
     "prompt": "def total(lines: list[int]) -> int:\\n    ...",
     "canonical_solution": "def total(lines):\\n    return sum(lines)\\n",
     "wrong_solutions": ["def total(lines):\\n    return len(lines)\\n"],
     "tests": [{"args": [[1, 2]], "expected": 3}]}

``canonical_solution`` and ``wrong_solutions`` (optional) are whole programs. ``args`` are positional. Results are
compared with their exact types: ``True`` is not ``1``, ``1`` is not ``1.0``, a list is no tuple;
``evaluator.suites.values`` says how a tuple, a set and the like are written.
"""

from evaluator.suites import rows, values
from evaluator.suites.suite import FunctionCheck, Part, Row, Suite, SuiteError, Task

NAME = "weighbridge"

_KEYS = ("task_id", "language", "prompt", "entry_point", "canonical_solution", "wrong_solutions", "tests")


def claims(row: Row) -> bool:
    return "tests" in row and "language" in row and "entry_point" in row


def suite_name(row: Row, stem: str) -> str:
    return stem


def task(row: Row) -> Task:
    rows.only(row, _KEYS)
    tests = [_test(test, number) for number, test in enumerate(rows.required(row, "tests", list), 1)]
    if not tests:
        raise SuiteError("'tests' is empty", 'add at least one {"args": [...], "expected": ...}')
    part = Part("tests", tuple(args for args, _ in tests), tuple(expected for _, expected in tests))
    return Task(
        task_id=rows.required(row, "task_id", str),
        language=rows.required(row, "language", str),
        prompt=rows.required(row, "prompt", str),
        entry_point=rows.required(row, "entry_point", str),
        canonical_solution=rows.required(row, "canonical_solution", str),
        wrong_solutions=rows.strings(row, "wrong_solutions"),
        check=FunctionCheck((part,), oracle="exact"),
    )


def as_released(suite: Suite) -> Suite:
    return suite


def _test(test: object, number: int) -> tuple[tuple[object, ...], object]:
    if not isinstance(test, dict) or set(test) != {"args", "expected"} or not isinstance(test["args"], list):
        raise SuiteError(f"test {number} is not a call", 'write {"args": [...], "expected": ...}')
    return tuple(values.decode(arg) for arg in test["args"]), values.decode(test["expected"])
