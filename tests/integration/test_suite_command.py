"""`weighbridge suite` as the author of a suite meets it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"
)
WEIGHBRIDGE = str(Path(sys.executable).with_name("weighbridge"))
RIGHT = "def double(x):\n    return 2 * x\n"
TASK = {
    "task_id": "good",
    "language": "python",
    "prompt": "def double(x):\n",
    "entry_point": "double",
    "canonical_solution": RIGHT,
    "wrong_solutions": [RIGHT.replace("2", "3")],
    "tests": [{"args": [x], "expected": 2 * x} for x in range(5)],
}


def suite(tmp_path: Path, *changes: dict[str, object]) -> str:
    path = tmp_path / "payroll.jsonl"
    path.write_text("\n".join(json.dumps({**TASK, **change}) for change in changes))
    return str(path)


def run(tmp_path: Path, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "WEIGHBRIDGE_CACHE_DIR": str(tmp_path / "cache"), **env}
    return subprocess.run([WEIGHBRIDGE, "suite", *words], capture_output=True, text=True, check=False, env=environment)


@needs_bubblewrap
def test_a_good_suite(tmp_path: Path) -> None:
    done = run(tmp_path, "check", suite(tmp_path, {}, {"task_id": "other"}))
    assert (done.returncode, done.stderr) == (0, "")
    [line] = done.stdout.splitlines()
    assert line.startswith("payroll: 2 tasks; 2 of 2 canonical solutions pass, 2 of 2 wrong ones fail; ")


@needs_bubblewrap
def test_each_thing_that_is_wrong_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = suite(
        tmp_path,
        {},
        {"task_id": "errs", "canonical_solution": RIGHT.replace("2", "3"), "wrong_solutions": []},
        {"task_id": "raises", "canonical_solution": "def double(x):\n    return y\n", "wrong_solutions": []},
        {"task_id": "weak", "tests": [{"args": [0], "expected": 0}]},
        {"task_id": "torn", "wrong_solutions": ["def double(x) return"]},
    )
    done = run(tmp_path, "check", path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("errs: the canonical solution does not pass (fail: tests: double(1) is wrong); mend it")
    assert lines[1].startswith("raises: the canonical solution does not pass (fail: ") and "NameError" in lines[1]
    assert lines[2] == "weak: wrong solution 1 passes; add a test that it fails"
    assert lines[3].startswith("note: 1 wrong solutions do not even compile")
    assert lines[4].startswith("note: 2 tasks list no wrong solution")
    assert lines[5].startswith("payroll: 5 tasks; 3 of 5 canonical solutions pass, 2 of 3 wrong ones fail")
    assert "3 of 8 programs are not judged as they should be" in done.stderr


@needs_bubblewrap
def test_json_holds_every_program(tmp_path: Path) -> None:
    done = run(tmp_path, "check", suite(tmp_path, {}, {"task_id": "weak", "tests": TASK["tests"][:1]}), "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert [(p["task_id"], p["solution"], p["status"], p["as_it_should"]) for p in said["programs"]] == [
        ("good", "canonical", "pass", True),
        ("good", "wrong 1", "fail", True),
        ("weak", "canonical", "pass", True),
        ("weak", "wrong 1", "pass", False),
    ]
    assert {key: said["summary"][key] for key in ("canonical_passed", "wrong", "wrong_failed", "unscorable")} == {
        "canonical_passed": 2,
        "wrong": 2,
        "wrong_failed": 1,
        "unscorable": 0,
    }


@needs_bubblewrap
def test_what_cannot_be_judged_is_no_failure_of_the_suite(tmp_path: Path) -> None:
    done = run(tmp_path, "check", suite(tmp_path, {}, {"task_id": "odd", "language": "intercal"}))
    assert done.returncode == 3
    assert "odd: cannot be judged: no such language: intercal (there are: " in done.stdout
    assert "2 of 4 programs could not be judged: no such language" in done.stderr


def test_without_a_sandbox(tmp_path: Path) -> None:
    done = run(tmp_path, "check", suite(tmp_path, {}), PATH="/nowhere")
    assert (done.returncode, done.stdout) == (3, "")
    assert "apt-get install bubblewrap" in done.stderr


def test_a_bad_file_and_one_without_solutions(tmp_path: Path) -> None:
    done = run(tmp_path, "check", suite(tmp_path, {}, {"task_id": "b", "tets": 1}))
    assert done.returncode == 2
    assert "payroll.jsonl:2: unknown key 'tets'; did you mean 'tests'?" in done.stderr
    empty = run(tmp_path, "check", suite(tmp_path, {"canonical_solution": "", "wrong_solutions": []}))
    assert empty.returncode == 2
    assert "holds no solutions" in empty.stderr


def test_show(tmp_path: Path) -> None:
    path = suite(tmp_path, {}, {"task_id": "b"}, {"task_id": "c", "language": "javascript", "wrong_solutions": []})
    done = run(tmp_path, "show", path)
    assert done.returncode == 0
    assert [line.split() for line in done.stdout.splitlines()[2:]] == [
        ["javascript", "1", "1", "0"],
        ["python", *"222"],
    ]
    said = json.loads(run(tmp_path, "show", path, "--json").stdout)
    assert (said["tasks"], [row["language"] for row in said["languages"]]) == (3, ["javascript", "python"])


@needs_bubblewrap
def test_the_documented_example_is_a_good_suite(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/suites.md").read_text()
    path = tmp_path / "payroll.jsonl"
    path.write_text("".join(f"{line}\n" for line in page.splitlines() if line.startswith('{"task_id": "payroll/')))
    done = run(tmp_path, "check", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "payroll: 2 tasks; 2 of 2 canonical solutions pass, 2 of 2 wrong ones fail" in done.stdout
