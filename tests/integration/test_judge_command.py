"""`weighbridge judge` as a person meets it."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.languages import LANGUAGES
from tests.fixtures.docker import BUILD_S, Docker

needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"
)
WEIGHBRIDGE = str(Path(sys.executable).with_name("weighbridge"))
RIGHT, WRONG = "def double(x):\n    return 2 * x\n", "def double(x):\n    return 3 * x\n"


@pytest.fixture
def suite(tmp_path: Path) -> str:
    task = {
        "language": "python",
        "prompt": "def double(x):\n",
        "entry_point": "double",
        "canonical_solution": RIGHT,
        "tests": [{"args": [x], "expected": 2 * x} for x in range(5)],
    }
    tasks = [{"task_id": "a", **task}, {"task_id": "b", **task}, {"task_id": "c", **task, "language": "tcl"}]
    path = tmp_path / "doubles.jsonl"
    path.write_text("\n".join(map(json.dumps, tasks)))
    return str(path)


def run(suite: str, tmp_path: Path, samples: object, *more: str, **env: str) -> "subprocess.CompletedProcess[str]":
    path = tmp_path / "samples.jsonl.gz"
    lines = [s if isinstance(s, str) else json.dumps(s) for s in samples] if isinstance(samples, list) else []
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    command = [WEIGHBRIDGE, "judge", suite, "--samples", str(path), *more]
    environment = {**os.environ, "WEIGHBRIDGE_CACHE_DIR": str(tmp_path / "cache"), **env}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@needs_bubblewrap
def test_verdicts_in_the_files_order_and_a_summary(suite: str, tmp_path: Path) -> None:
    samples = [
        {"task_id": "b", "completion": f"```python\n{RIGHT}```"},
        {"task_id": "a", "completion": "    return 2 * x\n"},
        {"task_id": "a", "solution": WRONG},
        {"task_id": "a", "completion": "I would rather not."},
        {"task_id": "b", "solution": "def double(x) return x"},
        {"task_id": "c", "solution": RIGHT},
    ]
    done = run(suite, tmp_path, samples, "--json", "--parallel", "2")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result) == {"verdicts", "summary"}
    assert [(v["task_id"], v["sample"], v["status"], v["base"], v["plus"]) for v in result["verdicts"]] == [
        ("b", 0, "pass", None, None),
        ("a", 0, "pass", None, None),
        ("a", 1, "fail", None, None),
        ("a", 2, "no_code", None, None),
        ("b", 1, "compile_error", None, None),
        ("c", 0, "unscorable", None, None),
    ]
    assert result["verdicts"][2]["detail"] == "tests: double(1) is wrong"
    summary = result["summary"]
    assert summary["statuses"] == {"pass": 2, "fail": 1, "no_code": 1, "compile_error": 1, "unscorable": 1}
    assert (summary["samples"], summary["scored"], summary["tasks"], summary["partial"]) == (6, 5, 3, False)
    assert summary["pass_at_1"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert "no such language: tcl" in done.stderr


@needs_bubblewrap
def test_a_person_reads_few_lines(suite: str, tmp_path: Path) -> None:
    done = run(suite, tmp_path, [{"task_id": "a", "solution": RIGHT}, {"task_id": "b", "solution": WRONG}])
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "doubles: 2 samples of 2 tasks"
    assert lines[2].split() == ["all", "tests", "1/2", "0.500", "0.095", "to", "0.905"]
    assert lines[-2].startswith("1 fail, 1 pass; ")
    assert lines[-1] == "the first that does not pass (--json has all): b, sample 0: fail: tests: double(1) is wrong"
    assert len(lines) <= 10


@needs_bubblewrap
def test_a_limit_is_labelled(suite: str, tmp_path: Path) -> None:
    done = run(suite, tmp_path, [{"task_id": t, "solution": RIGHT} for t in "ab"], "--limit", "1", "--json")
    summary = json.loads(done.stdout)["summary"]
    assert (summary["partial"], summary["samples"]) == (True, 1)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (
            [{"task_id": "a", "solution": RIGHT}, {"task_id": "z", "solution": RIGHT}],
            ":2: the suite doubles has no task",
        ),
        (["{"], ":1: no JSON"),
        (["[]"], ":1: a sample is a JSON object"),
        ([{"task_id": "a"}], ":1: the sample has no 'completion' or 'solution'"),
        ([{"solution": RIGHT}], ":1: the sample has no 'task_id'"),
        ([{"task_id": "a", "solution": 3}], ":1: the sample has no 'completion' or 'solution'"),
        ([], "the file holds no sample"),
    ],
)
def test_a_bad_file_is_a_usage_error_that_names_the_line(
    suite: str, tmp_path: Path, samples: list[object], message: str
) -> None:
    done = run(suite, tmp_path, samples, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_missing_file_and_suite(suite: str, tmp_path: Path) -> None:
    assert run("no-suite", tmp_path, []).returncode == 2
    missing = subprocess.run(
        [WEIGHBRIDGE, "judge", suite, "--samples", "gone.jsonl"], capture_output=True, text=True, check=False
    )
    assert missing.returncode == 2
    assert "there is no such file" in missing.stderr


def test_samples_may_come_from_a_pipe(suite: str) -> None:
    command = [WEIGHBRIDGE, "judge", suite, "--samples", "/dev/stdin"]
    rows = "".join(json.dumps({"task_id": task, "solution": RIGHT}) + "\n" for task in "az")
    done = subprocess.run(command, input=rows, capture_output=True, text=True, check=False)
    assert "/dev/stdin:2: the suite doubles has no task 'z'" in done.stderr


def test_without_a_sandbox_nothing_fails_and_all_is_unscorable(suite: str, tmp_path: Path) -> None:
    samples = [{"task_id": "a", "solution": RIGHT}, {"task_id": "b", "solution": WRONG}]
    done = run(suite, tmp_path, samples, "--json", PATH="/nowhere")
    assert done.returncode == 3
    verdicts = json.loads(done.stdout)["verdicts"]
    assert {v["status"] for v in verdicts} == {"unscorable"}
    assert "apt-get install bubblewrap" in verdicts[0]["detail"]


def test_an_unknown_sandbox(suite: str, tmp_path: Path) -> None:
    done = run(suite, tmp_path, [], "--sandbox", "chroot")
    assert done.returncode == 2
    assert "there are bubblewrap, docker, gvisor, sandboxd:SOCKET and auto" in done.stderr


@needs_bubblewrap
def test_doctor_tries_the_sandbox() -> None:
    done = subprocess.run([WEIGHBRIDGE, "doctor", "--json"], capture_output=True, text=True, check=False)
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert {name for name, check in checks.items() if not check["ok"] and check["needed"]} == set(), done.stdout
    assert "no network" in checks["sandbox: bubblewrap"]["found"]
    assert {"sandbox: docker", "sandbox: gvisor"} <= checks.keys()
    assert {f"language: {name}" for name in LANGUAGES} <= checks.keys()
    assert done.returncode == 0


@needs_bubblewrap
@pytest.mark.timeout(BUILD_S)
def test_the_strongest_sandbox_that_proves_itself_is_taken(suite: str, tmp_path: Path, sandbox_engine: Docker) -> None:
    samples = [{"task_id": "a", "solution": RIGHT}]
    env = {"DOCKER_HOST": sandbox_engine.host}
    done = run(suite, tmp_path, samples, "--sandbox", "auto", "--json", **env)
    assert json.loads(done.stdout)["summary"]["passed"] == 1, done.stderr
    said = subprocess.run(
        [WEIGHBRIDGE, "doctor"], capture_output=True, text=True, check=False, env={**os.environ, **env}
    )
    assert re.search(r"ok +sandbox: gvisor .*the strongest here", said.stdout), said.stdout


def test_doctor_says_how_to_install_what_is_missing() -> None:
    env = {**os.environ, "PATH": "/nowhere"}
    done = subprocess.run([WEIGHBRIDGE, "doctor"], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 3
    assert "apt-get install bubblewrap" in done.stdout
