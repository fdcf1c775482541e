"""`weighbridge replay --all`: every route on every suite; what fails is said and stops nothing."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from evaluator.suites import load_suite
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve, vllm_route

pytestmark = pytest.mark.timeout(600)
BUILTIN = "builtin:javascript,python"


def replay_all(gateway: Gateway, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir)}
    command = [WEIGHBRIDGE, "replay", "--all", *arguments, "--base-url", gateway.url + "/v1"]
    command += ["--samples", "1", "--limit", "3", "--retries", "0"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=250)


def recorded(folder: Path) -> dict[str, Any]:
    path = folder / "right.jsonl"
    rows = [{"prompt": t.prompt, "completion": t.canonical_solution} for t in load_suite(BUILTIN).tasks]
    path.write_text("\n".join(map(json.dumps, rows)))
    return {"backend": "recorded", "recording": str(path), "price": {"input": 1, "output": 2}}


def test_a_dead_route_stops_no_other_and_the_same_command_resumes(serve: Serve, tmp_path: Path) -> None:
    gateway = serve({"routes": {"dead": vllm_route("http://127.0.0.1:9"), "good": recorded(tmp_path)}})
    own = tmp_path / "own.jsonl"
    task = {"task_id": "one", "language": "python", "entry_point": "one", "prompt": "def one():\n    ...\n"}
    own.write_text(json.dumps({**task, "canonical_solution": "x", "tests": [{"args": [], "expected": 1}]}))
    done = replay_all(gateway, BUILTIN, str(own))
    assert done.returncode == 1
    assert "4 replays failed" in done.stderr
    assert "[1/4] builtin on " in done.stderr
    assert "[4/4] " in done.stderr
    [folder] = (gateway.state_dir / "replays-all").iterdir()
    assert str(folder / "results.json") in done.stdout
    results = json.loads((folder / "results.json").read_text())
    assert (results["replays"], results["done"]) == (4, 4)
    found = {(Path(each["suite"]).name, each["route"]): each for each in results["results"]}
    assert found[BUILTIN, "good"]["error"] is None
    assert found[BUILTIN, "good"]["result"]["summary"]["pass_at_1"] == 1.0
    assert "no sample was scored" in found[BUILTIN, "dead"]["error"]
    cards = found[BUILTIN, "good"]["result"]["scorecards"]
    assert {card["manifest"]["command"].split(" --base-url")[0] for card in cards} == {
        "weighbridge replay builtin:javascript,python --route good"
    }
    assert len((folder / "replay.log").read_text().split("[2/4]")) == 2

    again = json.loads(replay_all(gateway, BUILTIN, str(own), "--json").stdout)
    assert next(each["result"]["summary"]["asked_now"] for each in again["results"] if each["route"] == "good") == 0


def test_what_does_not_fit_together_is_said(serve: Serve, tmp_path: Path) -> None:
    gateway = serve({"routes": {"good": recorded(tmp_path)}})
    assert "leave --route and --policy away" in replay_all(gateway, "--route", "good").stderr
    done = replay_all(gateway, "no-such-suite")
    assert (done.returncode, "there is no such suite" in done.stderr) == (2, True)
    command = [WEIGHBRIDGE, "replay", "--route", "good"]
    none = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (none.returncode, "name one suite" in none.stderr) == (2, True)
