"""The main job on real input: suites replayed through a running gateway, judged, posted, and decided by."""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from evaluator.suites import load_suite
from tests.fixtures import upstream as up
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve, vllm_route
from tests.fixtures.shared_data import SHARED_DATA, needs_shared_data, shared_rows
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

HUMANEVAL = "suites/evalplus/HumanEvalPlus-v0.1.9.jsonl.gz"
QWEN = "recorded/qwen2.5-coder-1.5b/humaneval"


BUILTIN = "builtin:javascript,python"


def replay(gateway: Gateway, *arguments: str) -> "subprocess.Popen[str]":
    env = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir)}
    command = [WEIGHBRIDGE, "replay", *arguments, "--base-url", gateway.url + "/v1", "--json"]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: "subprocess.Popen[str]") -> dict[str, Any]:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return dict(json.loads(out))


def answers_from(recording: dict[str, str]) -> up.Behaviour:
    """A model server that answers with what was recorded for the prompt inside the message."""

    async def behave(received: up.Received, writer: Any) -> None:
        message = received.json["messages"][-1]["content"]
        prompt = max((p for p in recording if p in message), key=len)
        await up.says(recording[prompt])(received, writer)

    return behave


@needs_shared_data
@pytest.mark.timeout(600)
def test_published_verdicts_come_out_of_a_replay_that_was_killed_half_way(serve: Serve, upstream: Upstream) -> None:
    prompts = {row["task_id"]: row["prompt"] for row in shared_rows(HUMANEVAL)}
    samples = shared_rows(f"{QWEN}-samples.jsonl.gz")
    upstream.behaviour = answers_from({prompts[row["task_id"]]: row["completion"] for row in samples})
    gateway = serve({"routes": {"qwen": vllm_route(upstream.url)}})
    arguments = (str(SHARED_DATA / HUMANEVAL), "--route", "qwen", "--samples", "1", "--concurrency", "4")
    first = replay(gateway, *arguments)
    upstream.wait_for(80, within_s=300)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    [folder] = (gateway.state_dir / "replays").iterdir()
    stored = [json.loads(line)["task_id"] for line in (folder / "samples.jsonl").read_text().splitlines()[:-1]]
    finished(replay(gateway, *arguments))

    asked = Counter(received.body for received in upstream.received)
    assert len(asked) == 164
    again = {body for body, times in asked.items() if times > 1}
    assert len(again) <= 4  # those in flight at the kill
    assert not [task for task in stored if any(json.dumps(prompts[task])[1:-1].encode() in body for body in again)]
    verdicts = {v["task_id"]: v for v in map(json.loads, (folder / "verdicts.jsonl").read_text().splitlines())}
    published = {row["task_id"]: row for row in shared_rows(f"{QWEN}-verdicts.jsonl.gz")}
    differ = [
        task
        for task, verdict in verdicts.items()
        for part in ("base", "plus")
        if (verdict[part] == "pass") != (published[task][f"{part}_status"] == "pass")
    ]
    assert differ == []
    [card] = gateway.http.get("/v1/scorecards").json()["scorecards"]
    assert (round(card["base_pass_at_1"] * 164), round(card["pass_at_1"] * 164)) == (72, 60)


@pytest.mark.timeout(600)
def test_three_samples_ask_three_times_and_nothing_comes_from_the_cache(serve: Serve, upstream: Upstream) -> None:
    tasks = load_suite(BUILTIN).tasks
    upstream.behaviour = answers_from({task.prompt: task.canonical_solution for task in tasks})
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}})
    result = finished(replay(gateway, BUILTIN, "--route", "small"))
    assert set(Counter(received.body for received in upstream.received).values()) == {3}
    cards = {card["language"]: card for card in result["scorecards"]}
    assert {name: (card["asked"], card["scored"], card["pass_at_1"]) for name, card in cards.items()} == {
        "python": (48, 48, 1.0),
        "javascript": (24, 24, 1.0),
        "all": (72, 72, 1.0),
    }
    assert all(card["cost_nanousd"] > 0 and card["repetitions"] == 3 for card in cards.values())
    command = [WEIGHBRIDGE, "matrix", "--json", "--base-url", gateway.url + "/v1"]
    [route] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["routes"]
    for shown in route["results"]:
        assert shown["card"]["manifest"]["command"].startswith(
            "weighbridge replay builtin:javascript,python --route small"
        )
        assert shown["card"]["manifest"]["suite_hash"] == load_suite(BUILTIN).hash


@pytest.mark.timeout(600)
def test_the_cache_gives_again_what_a_recorded_route_answered(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "small.jsonl"
    tasks = load_suite(BUILTIN).tasks
    rows = [{"prompt": t.prompt, "completion": f"```{t.language}\n{t.canonical_solution}```"} for t in tasks]
    path.write_text("\n".join(map(json.dumps, rows)))
    gateway = serve({"routes": {"small": {"backend": "recorded", "recording": str(path)}}})
    words = (BUILTIN, "--route", "small", "--samples", "2", "--limit", "5", "--cache", "both")
    result = finished(replay(gateway, *words))
    honesty = result["summary"]["cache"]
    assert (honesty["compared"], honesty["same"], honesty["unlike"], honesty["not_cached"]) == (10, 10, [], 0)
    assert honesty["fresh_passes"] == honesty["cached_passes"] == 10
    assert (result["summary"]["asked"], result["summary"]["from_cache"]) == (10, 0)
    assert "--cache both" in result["command"]
    rows = [json.loads(line) for line in (Path(result["folder"]) / "samples.jsonl").read_text().splitlines()]
    assert {row["cache"] for row in rows} == {"miss"}, "what is scored and timed is fresh"


@pytest.mark.timeout(600)
def test_a_measured_route_is_chosen_and_explained(serve: Serve, tmp_path: Path) -> None:
    def recording(name: str, wrong: int) -> dict[str, Any]:
        path = tmp_path / f"{name}.jsonl"
        rows = []
        for number, task in enumerate(load_suite(BUILTIN).tasks):
            answer = task.wrong_solutions[0] if number < wrong else task.canonical_solution
            rows.append(json.dumps({"prompt": task.prompt, "completion": f"```{task.language}\n{answer}```"}))
        path.write_text("\n".join(rows))
        price = {"input": 1, "output": 2} if wrong else {"input": 10, "output": 20}
        return {"backend": "recorded", "recording": str(path), "price": price}

    require = {"pass_at_1": {"suite": "builtin", "language": "python", "at_least": 0.5}}
    config = {
        "routes": {"cheap": recording("cheap", wrong=16), "good": recording("good", wrong=0)},
        "policies": {"auto": {"require": require, "unmeasured": "allow"}},
    }
    gateway = serve(config)
    prompt = load_suite(BUILTIN).tasks[0].prompt

    def chosen() -> str:
        answer = gateway.chat(prompt, model="auto", headers={"cache-control": "no-store"})
        return str(answer.headers["x-weighbridge-route"])

    assert chosen() == "cheap"
    finished(replay(gateway, BUILTIN, "--route", "cheap", "--samples", "1"))
    eventually(lambda: chosen() == "good")
    command = [WEIGHBRIDGE, "policy", "explain", "auto", "--base-url", gateway.url + "/v1"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "below the required 0.5" in " ".join(said.split())
