"""Learned routing from end to end: replays of two routes, torch, and a gateway that picks by the prompt."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluator.learning.examples import read_examples
from evaluator.learning.fitting import Settings, train
from evaluator.replaying.prompt import question
from evaluator.suites import load_suite
from gateway.cli.policy_train import as_served
from policies.learned_model import encode
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve
from tests.fixtures.learnable import Recorded, learnable, recorded


def weighbridge(*words: str | Path, state_dir: Path | None = None, **env: str) -> "subprocess.CompletedProcess[str]":
    if state_dir is not None:
        env["WEIGHBRIDGE_STATE_DIR"] = str(state_dir)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEIGHBRIDGE_")}
    return subprocess.run([WEIGHBRIDGE, *words], capture_output=True, text=True, check=False, env={**clean, **env})


def routes(made: Recorded) -> dict[str, Any]:
    return {
        "small": {"backend": "recorded", "recording": str(made.small), "price": {"input": 1, "output": 1}},
        "large": {"backend": "recorded", "recording": str(made.large), "price": {"input": 5, "output": 5}},
    }


def answered_by(gateway: Gateway, content: str, **fields: Any) -> str:
    answer = gateway.chat(content, model="auto", **fields)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-weighbridge-route"])


@pytest.mark.timeout(600)
def test_what_two_replays_taught_picks_a_route_by_the_prompt(serve: Serve, tmp_path: Path, torch_python: Path) -> None:
    made = recorded(tmp_path, 80)
    gateway = serve({"routes": routes(made), "policies": {"auto": {"objective": "most_accurate"}}})
    runs = []
    for route in ("small", "large"):
        words = ("replay", made.suite, "--route", route, "--samples", "1", "--base-url", gateway.url + "/v1", "--json")
        done = weighbridge(*words, state_dir=gateway.state_dir)
        assert done.returncode == 0, done.stderr
        runs.append(json.loads(done.stdout)["scorecards"][0]["run_id"])
    assert gateway.stop() == 0

    model = tmp_path / "learned.json"
    words = ("policy", "train", *runs, "--suite", made.suite, "--out", model, "--folds", "3", "--json")
    done = weighbridge(*words, state_dir=gateway.state_dir, WEIGHBRIDGE_TORCH_PYTHON=str(torch_python))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["loads"] is True and found["manifest"]["runs"] == runs
    assert found["tasks"] + found["manifest"]["left_out"] == 80 and found["tasks"] >= 40
    points = {point["name"]: point for point in found["points"]}
    assert points["always small"]["solved"] == pytest.approx(0.5, abs=0.2) and points["always large"]["solved"] == 1.0
    assert points["learned"]["worth"] > points["random, same cost"]["worth"]
    assert "Return the" not in model.read_text()

    gateway = serve(
        {"routes": routes(made), "policies": {"auto": {"objective": "most_accurate", "learned": str(model)}}}
    )
    easy, hard = question("python", made.easy), question("python", made.hard)
    assert answered_by(gateway, easy) == "small"
    assert answered_by(gateway, hard) == "large"
    said = [{"role": "assistant", "content": "Done."}, {"role": "user", "content": hard}]
    begun = [*gateway.messages(easy), *said]
    assert answered_by(gateway, "", messages=begun) == "small"  # as the conversation began
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert answered_by(gateway, easy, tools=tools) == "large"  # as without the model: most accurate
    explained = weighbridge("policy", "explain", "auto", "--base-url", gateway.url + "/v1", "--json")
    assert json.loads(explained.stdout)["learned"]["reason"].endswith("does not pick: no prompt is given")
    prompt = tmp_path / "prompt.txt"
    prompt.write_text(hard)
    explained = weighbridge("policy", "explain", "auto", "--prompt", prompt, "--base-url", gateway.url + "/v1")
    assert "chosen   large" in explained.stdout
    assert "picks large: chance of solving this and cost of a task are large" in " ".join(explained.stdout.split())


@pytest.mark.timeout(600)
def test_a_model_that_is_not_better_is_refused_and_training_again_gives_the_same_file(
    tmp_path: Path, torch_python: Path
) -> None:
    made = learnable(tmp_path, 100, told=False)
    model = tmp_path / "learned.json"
    words = ("policy", "train", made.small, made.large, "--suite", made.suite, "--out", model, "--folds", "3")
    done = weighbridge(*words, "--python", torch_python)
    assert done.returncode == 1
    assert f"no gateway will load {model}: it does not beat the static policy: on 100 unseen tasks" in done.stderr
    assert f"{model} written: no gateway will load it" in done.stdout
    config = tmp_path / "weighbridge.yaml"
    settings = {"backend": "vllm", "model": "m", "replicas": ["http://127.0.0.1:1"], "price": {"input": 1, "output": 1}}
    policy = {"objective": "cheapest", "learned": {"model": "learned.json"}}
    config.write_text(yaml.safe_dump({"routes": {"small": settings, "large": settings}, "policies": {"auto": policy}}))
    for command in (("config", "check", config), ("serve", "--config", config, "--port", "0")):
        refused = weighbridge(*command, state_dir=tmp_path / "state")
        assert refused.returncode == 2
        assert "policies.auto.learned.model: it does not beat the static policy" in refused.stderr + refused.stdout
    examples = read_examples([made.small, made.large], [load_suite(str(made.suite))])
    assert encode(train(examples, as_served, Settings(str(torch_python), 0, 3, None))) == model.read_bytes()
