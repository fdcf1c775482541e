"""Suites from files: formats by content, and errors that name the line and the fix."""

import gzip
import json
from pathlib import Path

import pytest

from evaluator.suites import Case, StdioCheck, SuiteError, WordsCheck, load_suite

OURS = {
    "task_id": "sum/1",
    "language": "python",
    "prompt": "def total(xs):\n",
    "entry_point": "total",
    "canonical_solution": "def total(xs):\n    return sum(xs)\n",
    "wrong_solutions": ["def total(xs):\n    return 0\n"],
    "tests": [{"args": [[1, 2]], "expected": 3}, {"args": [{"$tuple": [1.5]}], "expected": 1.5}],
}
_UNCHECKED = {key: value for key, value in OURS.items() if key not in ("tests", "entry_point")}
CASES = {**_UNCHECKED, "cases": [{"stdin": "1 2\n", "expected": "3\n"}, {"stdin": "", "expected": "0"}]}
TEST_FILE = {**_UNCHECKED, "test_file": "import os\n{{solution}}\nprint('{{passed}}')\nprint('{{passed}}')\n"}
EVALPLUS = {
    "task_id": "HumanEval/900",
    "prompt": "def total(xs):\n",
    "entry_point": "total",
    "canonical_solution": "    return sum(xs)\n",
    "base_input": [[[1, 2]]],
    "plus_input": [[[3]], [[4, 5]]],
    "atol": 0,
}


def write(path: Path, *rows: object) -> str:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return str(path)


def test_our_format(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path / "payroll.jsonl", OURS))
    assert (suite.name, suite.format, len(suite.tasks)) == ("payroll", "weighbridge", 1)
    task = suite.task("sum/1")
    assert task is not None
    (part,) = task.check.parts
    assert part.inputs == (([1, 2],), ((1.5,),))
    assert part.expected == (3, 1.5)
    assert task.check.oracle == "exact"
    assert task.wrong_solutions == ("def total(xs):\n    return 0\n",)


def test_our_format_with_cases(tmp_path: Path) -> None:
    (task,) = load_suite(write(tmp_path / "payroll.jsonl", CASES)).tasks
    assert task.check == StdioCheck((Case("1 2\n", "3\n"), Case("", "0")), "lines")
    assert task.entry_point == ""
    (task,) = load_suite(write(tmp_path / "payroll.jsonl", {**CASES, "compare": "numbers", "entry_point": "f"})).tasks
    assert isinstance(task.check, StdioCheck)
    assert (task.check.oracle, task.entry_point) == ("numbers", "f")


def test_our_format_with_a_test_file(tmp_path: Path) -> None:
    (task,) = load_suite(write(tmp_path / "payroll.jsonl", TEST_FILE)).tasks
    assert task.check == WordsCheck("import os\n", ("\nprint('", "')\nprint('", "')\n"))


def test_evalplus_format(tmp_path: Path) -> None:
    suite = load_suite(write(tmp_path / "HumanEvalPlus.jsonl", EVALPLUS))
    assert (suite.name, suite.format) == ("humaneval+", "evalplus")
    task = suite.tasks[0]
    assert task.canonical_solution == "def total(xs):\n    return sum(xs)\n"
    assert [(part.name, len(part.inputs), part.expected) for part in task.check.parts] == [
        ("base", 1, None),
        ("plus", 2, None),
    ]


def test_the_hash_is_of_the_content_alone(tmp_path: Path) -> None:
    plain = load_suite(write(tmp_path / "a.jsonl", OURS, "", "  "))
    packed = tmp_path / "a2.jsonl.gz"
    packed.write_bytes(gzip.compress((json.dumps(OURS)).encode()))
    assert load_suite(str(packed)).hash == plain.hash
    other = load_suite(write(tmp_path / "b.jsonl", {**OURS, "prompt": "def total(ys):\n"}))
    assert other.hash != plain.hash


def test_a_json_list(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps([OURS, {**OURS, "task_id": "sum/2"}], indent=1))
    assert [task.task_id for task in load_suite(str(path)).tasks] == ["sum/1", "sum/2"]


def test_builtin_is_there() -> None:
    assert load_suite("builtin").name == "builtin"


def test_a_part_of_builtin() -> None:
    part = load_suite("builtin:python,javascript")
    assert part.name == "builtin"
    assert [task.language for task in part.tasks] == ["javascript"] * 8 + ["python"] * 16
    assert part.hash != load_suite("builtin:python").hash
    with pytest.raises(SuiteError, match=r"the built-in suite has no 'pyton'; did you mean 'python'\?"):
        load_suite("builtin:pyton")
    with pytest.raises(SuiteError, match=r"no 'intercal'; it has .*python"):
        load_suite("builtin:intercal")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([OURS, "{"], ":2: no JSON"),
        ([OURS, "7"], ":2: a task is a JSON object"),
        ([OURS, OURS], ":2: task 'sum/1' is there twice"),
        ([{**OURS, "promt": 1}], ":1: unknown key 'promt'; did you mean 'prompt'?"),
        ([{**OURS, "tests": []}], ":1: 'tests' is empty"),
        ([{**OURS, "tests": [{"arg": [], "expected": 1}]}], ":1: test 1 is not a call"),
        ([{**OURS, "tests": [{"args": [], "expected": {"$tupel": []}}]}], "'$tupel' is no tagged value; use one of"),
        ([{**OURS, "tests": [{"args": [], "expected": {"$set": [[]]}}]}], "'$set' cannot hold"),
        ([{**OURS, "entry_point": 3}], ":1: 'entry_point' is a whole number; write a string"),
        ([{**OURS, "wrong_solutions": [3]}], "write a list of strings"),
        ([{"a": 1}], ":1: no known suite format has the keys a; known formats: evalplus, "),
        ([_UNCHECKED], ":1: the task has no check; give one of 'tests', 'cases', 'test_file'"),
        ([{**OURS, "cases": []}], ":1: the task has both 'tests' and 'cases'; give one of"),
        ([{**_UNCHECKED, "tests": OURS["tests"]}], ":1: the task has no 'entry_point'; add a string"),
        ([{**OURS, "compare": "lines"}], ":1: 'compare' says nothing of 'tests'; remove it"),
        ([{**CASES, "compare": "exact"}], ":1: 'compare' is 'exact'; write 'lines' or 'numbers'"),
        ([{**CASES, "cases": []}], ":1: 'cases' is empty; add at least one"),
        ([{**CASES, "cases": [{"stdin": "", "expect": ""}]}], ":1: case 1 is not an input and its output; write"),
        ([{**CASES, "cases": [{"stdin": "", "expected": 3}]}], ":1: case 1 holds something that is no string"),
        ([{**TEST_FILE, "test_file": "print('{{passed}}')"}], ":1: 'test_file' holds {{solution}} 0 times; write"),
        ([{**TEST_FILE, "test_file": "{{solution}}" * 2}], ":1: 'test_file' holds {{solution}} 2 times; write"),
        ([{**TEST_FILE, "test_file": "{{solution}}"}], ":1: 'test_file' has no {{passed}}; print one"),
        ([{**TEST_FILE, "test_file": "{{passed}}{{solution}}"}], "a {{passed}} ahead of {{solution}}; test below"),
        ([{**TEST_FILE, "test_file": 3}], ":1: 'test_file' is a whole number; write a string"),
        ([{**EVALPLUS, "task_id": "Mbxx/2"}], ":1: 'Mbxx/2' is no task of HumanEval+ or MBPP+"),
        ([{**EVALPLUS, "base_input": [3]}], "no list of arguments"),
        ([""], "the suite holds no task"),
    ],
)
def test_a_bad_file_names_line_and_fix(tmp_path: Path, rows: list[object], message: str) -> None:
    with pytest.raises(SuiteError) as caught:
        load_suite(write(tmp_path / "bad.jsonl", *rows))
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))


@pytest.mark.parametrize("content", [b"\x1f\x8bnot gzip", b"\xff\xfe", gzip.compress(b"{}" * 99)[:-9]])
def test_a_file_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(SuiteError, match=r"cannot be read.*UTF-8"):
        load_suite(str(path))


def test_a_name_that_is_none() -> None:
    with pytest.raises(SuiteError, match="give 'builtin' or the path"):
        load_suite("humanevil")


def test_tagged_values_of_every_kind(tmp_path: Path) -> None:
    expected = {
        "$tuple": [
            {"$set": [1]},
            {"$frozenset": [{"$tuple": []}]},
            {"$dict": [[1, "one"], ["$x", 2]]},
            {"$float": "inf"},
            {"$complex": [1, -2]},
            {"$bytes": "00ff"},
        ]
    }
    row = {**OURS, "tests": [{"args": [], "expected": expected}]}
    part = load_suite(write(tmp_path / "tagged.jsonl", row)).tasks[0].check.parts[0]
    assert part.expected == (({1}, frozenset({()}), {1: "one", "$x": 2}, float("inf"), complex(1, -2), b"\x00\xff"),)
