"""Every suite format keeps the same rules: it knows its own rows, and says line and fix of what is wrong with one."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from evaluator.languages import LANGUAGES
from evaluator.suites import FunctionCheck, StdioCheck, SuiteError, TestsCheck, WordsCheck, load_suite
from evaluator.suites.load import FORMATS
from evaluator.suites.suite import Row
from tests.fixtures.shared_data import SHARED_DATA, needs_shared_data

_CALLER = """       IDENTIFICATION DIVISION.
       PROGRAM-ID. DOUBLE-IT-CALL.
       SELECT OUTPUT-FILE ASSIGN TO "DOUBLE-IT.TXT"
"""
_GO_TESTS = "func TestAdd(t *testing.T) {\n    assert := assert.New(t)\n    assert.Equal(3, Add(1, 2))\n}\n"

ROWS: Mapping[str, Row] = {
    "evalplus": {
        "task_id": "HumanEval/900",
        "prompt": "def total(xs):\n",
        "entry_point": "total",
        "canonical_solution": "    return sum(xs)\n",
        "base_input": [[[1, 2]]],
        "plus_input": [[[3]]],
        "atol": 0,
    },
    "multipl-e": {
        "name": "HumanEval_900_add",
        "language": "cpp",
        "prompt": "#include<assert.h>\nint add(int a, int b) {\n",
        "tests": "}\nint main() {\n    auto candidate = add;\n    assert(candidate(1, 2) == (3));\n}\n",
        "stop_tokens": ["\n}"],
    },
    "coboleval": {
        "task_id": "HumanEval/900",
        "prompt": "       IDENTIFICATION DIVISION.\n",
        "entry_point": "double_it",
        "tests": [{"test": _CALLER, "result": {"value": "[1, 2]", "type_": {"List": "Int"}}}],
    },
    "fortran-humaneval": {
        "task": "Write a Fortran90 program that adds two numbers.",
        "signature": "int add(int a, int b)",
        "example": "Input: 1\n2 | Output: 3",
        "tests": [{"input": "1\n2", "output": 3}],
    },
    "humaneval-x": {
        "task_id": "Go/900",
        "prompt": "func Add(a int, b int) int {\n",
        "import": "",
        "declaration": "func Add(a int, b int) int {\n",
        "canonical_solution": "    return a + b\n}\n",
        "test_setup": 'package main\n\nimport (\n    "testing"\n    "github.com/stretchr/testify/assert"\n)\n',
        "test": _GO_TESTS,
        "example_test": _GO_TESTS,
    },
    "decompile-c": {
        "task_id": 900,
        "type": "O0",
        "c_func": "int func0(int a, int b) {\n    return a + b;\n}\n",
        "c_test": "#include <assert.h>\nint main() {\n    assert(func0(1, 2) == 3);\n    return 0;\n}\n",
        "input_asm_prompt": "func0:\n    lea (%rdi,%rsi),%eax\n    ret",
    },
    "weighbridge": {
        "task_id": "sum/1",
        "language": "bash",
        "prompt": "# Add two numbers.\n",
        "canonical_solution": "read a b; echo $((a + b))\n",
        "cases": [{"stdin": "1 2\n", "expected": "3\n"}],
    },
}
"""A task of each format, as its file holds it."""

SHARED = {
    "suites/c/decompile-eval.json": 164,
    "suites/cobol/CobolEval.jsonl.gz": 146,
    "suites/evalplus/HumanEvalPlus-v0.1.10.jsonl.gz": 164,
    "suites/evalplus/MbppPlus-v0.2.0.jsonl.gz": 378,
    "suites/fortran/benchmark.json": 164,
    "suites/humaneval-x/humaneval_rust.jsonl.gz": 164,
    "suites/multipl-e/humaneval-ts.jsonl.gz": 159,
}
"""Public suites, and how many tasks each holds."""


def write(folder: Path, *rows: object) -> str:
    path = folder / "suite.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_every_format_has_a_row_here() -> None:
    assert [format_.NAME for format_ in FORMATS] == list(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_claimed_by_its_own_format_and_becomes_a_task(name: str, tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path, ROWS[name]))
    assert suite.format == name
    assert suite.name and len(suite.hash) == 64
    [task] = suite.tasks
    assert task.task_id and task.prompt
    assert task.language in LANGUAGES
    assert isinstance(task.check, FunctionCheck | StdioCheck | TestsCheck | WordsCheck)
    assert suite.task(task.task_id) is task


@pytest.mark.parametrize("name", ROWS)
def test_a_broken_row_is_named_with_its_line_and_what_to_do(name: str, tmp_path: Path) -> None:
    """Whichever key is gone or of another type: an error of ours with its place, or a key that is not needed."""
    for key in ROWS[name]:
        gone, changed = (copy.deepcopy(dict(ROWS[name])) for _ in range(2))
        del gone[key]
        changed[key] = 3.5
        for row in (gone, changed):
            try:
                load_suite(write(tmp_path, ROWS[name], row))
            except SuiteError as error:
                assert error.line == 2 or "twice" in error.problem, error
                assert error.fix, (key, error)


@pytest.mark.parametrize("name", ROWS)
def test_the_same_task_twice_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"suite\.jsonl:2: .* is there twice"):
        load_suite(write(tmp_path, ROWS[name], ROWS[name]))


@needs_shared_data
@pytest.mark.parametrize("path", SHARED)
def test_public_suites_load(path: str) -> None:
    suite = load_suite(str(SHARED_DATA / path))
    assert len(suite.tasks) == SHARED[path]
    assert len({task.task_id for task in suite.tasks}) == SHARED[path]
    assert all(task.prompt and task.language in LANGUAGES for task in suite.tasks)
