"""`weighbridge replay --until` through the real gateway, in front of a recording, with the real sandbox."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
]

TASKS = 60
CONDITION = "pass_at_1 >= 0.75"


def _suite(folder: Path) -> Path:
    """Sums that no two tasks share."""
    rows = [
        {
            "task_id": f"python/add_{number}",
            "language": "python",
            "prompt": f'def add_{number}(x: int) -> int:\n    """Return x + {number}."""\n',
            "entry_point": f"add_{number}",
            "canonical_solution": f"def add_{number}(x: int) -> int:\n    return x + {number}\n",
            "wrong_solutions": [f"def add_{number}(x: int) -> int:\n    return x\n"],
            "tests": [{"args": [5], "expected": 5 + number}],
        }
        for number in range(1, TASKS + 1)
    ]
    path = folder / "sums.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def _route(folder: Path, suite: Path, name: str, solution: str) -> dict[str, str]:
    rows = map(json.loads, suite.read_text().splitlines())
    texts = [(row["prompt"], row[solution] if solution == "canonical_solution" else row[solution][0]) for row in rows]
    answers = [{"prompt": prompt, "completion": f"```python\n{text}```"} for prompt, text in texts]
    path = folder / f"{name}.jsonl"
    path.write_text("\n".join(map(json.dumps, answers)))
    return {"backend": "recorded", "recording": str(path)}


def _replay(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [WEIGHBRIDGE, "replay", *arguments, "--base-url", gateway.url + "/v1", "--concurrency", "2"]
    env = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False)


def _document(gateway: Gateway, *arguments: str) -> dict[str, Any]:
    done = _replay(gateway, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_replay_stops_when_the_bar_is_decided_either_way(serve: Serve, tmp_path: Path) -> None:
    suite = _suite(tmp_path)
    routes = {
        "good": _route(tmp_path, suite, "good", "canonical_solution"),
        "bad": _route(tmp_path, suite, "bad", "wrong_solutions"),
    }
    gateway = serve({"routes": routes})
    arguments = (str(suite), "--samples", "1", "--until", CONDITION, "--route")
    good = _document(gateway, *arguments, "good")
    until = good["summary"]["until"]
    assert (until["condition"], until["verdict"], until["confidence"]) == (CONDITION, "met", 0.95)
    assert until["tasks"] < TASKS and until["tasks_saved"] == TASKS - good["summary"]["asked"] > 0
    assert good["summary"]["partial"] and good["scorecards"][0]["partial"]
    assert (good["summary"]["interval"]["low"], good["summary"]["interval"]["high"]) == (until["low"], 1.0)
    assert "--until" in good["command"] and "--seed 0" in good["command"]
    assert good["scorecards"][0]["manifest"]["until"] == CONDITION
    assert gateway.http.get("/v1/scorecards").json()["scorecards"] == []

    bad = _document(gateway, *arguments, "bad")
    assert bad["summary"]["until"]["verdict"] in ("below", "futile")
    assert bad["summary"]["asked"] < good["summary"]["asked"]

    said = _replay(gateway, *arguments, "good").stdout.splitlines()
    assert len(said) <= 10
    assert f"PARTIAL, {CONDITION} is MET after {until['tasks']} of {TASKS} tasks" in said[0]
    assert "nothing was asked" in said[0]
