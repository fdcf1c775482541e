"""A gateway that watches itself: a route that answers worse is demoted, and comes back when it is well again."""

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import Any

from evaluator.suites import load_suite
from evaluator.watching.draws import Draws
from evaluator.watching.standing import Draw, Gate, Standing
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve, vllm_route
from tests.fixtures.upstream import Received, Upstream, answers_json, says
from tests.fixtures.waiting import eventually

SUITE = load_suite("builtin:python")
GATE = {"suite": "builtin", "at_least": 0.5}


class Recording:
    """Answers the suite's tasks as they were once answered, while it is well: all right; else all wrong."""

    def __init__(self) -> None:
        self.well = True
        self.told: list[dict[str, Any]] = []

    async def __call__(self, received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path == "/hook":
            self.told.append(received.json)
            await answers_json({})(received, writer)
            return
        prompt = received.json["messages"][-1]["content"]
        task = next((task for task in SUITE.tasks if task.prompt.strip() in prompt), None)
        answer = "hello" if task is None else task.canonical_solution if self.well else task.wrong_solutions[0]
        await says(f"```python\n{answer}\n```")(received, writer)


def recorded_route(folder: Path) -> dict[str, Any]:
    lines = [{"prompt": task.prompt.strip(), "solution": task.canonical_solution} for task in SUITE.tasks]
    lines.append({"prompt": "hi", "solution": "hello"})
    (folder / "large.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return {"backend": "recorded", "recording": "large.jsonl", "price": {"input": 10, "output": 20}}


def routes_of(gateway: Gateway) -> set[str]:
    """Where both workers send a request: whichever answers."""
    answers = [gateway.chat("hi", model="auto", headers={"cache-control": "no-store"}) for _ in range(6)]
    return {str(answer.headers.get("x-weighbridge-route")) for answer in answers}


def audit(gateway: Gateway, route: str) -> list[dict[str, Any]]:
    """Changes of state, oldest first."""
    rows = gateway.http.get("/v1/admissions").json()["admissions"]
    return [row for row in reversed(rows) if row["route"] == route and row["before"] != row["state"]]


def serving(gateway: Gateway) -> set[int]:
    children = gateway.children()
    return {pid for pid in children if b"gateway.processes.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def wait_for(gateway: Gateway, route: str, state: str) -> None:
    """Looks seldom: the route is being asked meanwhile, on the same machine."""

    def reached() -> bool:
        time.sleep(0.2)
        return [row["state"] for row in audit(gateway, route)][-1:] == [state]

    eventually(reached, 120)


def fails_until_demoted(passes: int) -> int:
    """What the rules predict of draws that fail one and all after so many that passed."""
    draws, standing = Draws(SUITE, seed=0), Standing(Gate("builtin", None, 0.5, 0.95), tasks())
    for number in range(passes + 100):
        (task,) = draws.of(number, ["python"])
        standing.add([Draw("python", task.task_id, number < passes)])
        if (change := standing.decided()) is not None and change.state == "demoted":
            return number + 1 - passes
    raise AssertionError("never")


def tasks() -> dict[str, tuple[str, ...]]:
    return {"python": tuple(task.task_id for task in SUITE.tasks)}


def test_a_route_that_answers_worse_is_demoted_and_returns_when_it_heals(
    serve: Serve, upstream: Upstream, tmp_path: Path
) -> None:
    recording = Recording()
    upstream.behaviour = recording
    config = {
        "routes": {"small": vllm_route(upstream.url), "large": recorded_route(tmp_path)},
        "policies": {"auto": {"require": {"pass_at_1": GATE}}},
        "watch": {
            "suites": "builtin:python",
            "draws": 4,
            "every_s": 0.01,
            "rest_s": 0.5,
            "usd_per_day": 5,
            "webhook": f"{upstream.url}/hook",
        },
    }
    gateway = serve(config, "--workers", "2")
    workers = serving(gateway)
    wait_for(gateway, "small", "admitted")
    wait_for(gateway, "large", "admitted")
    eventually(lambda: routes_of(gateway) == {"small"})
    recording.well = False
    wait_for(gateway, "small", "demoted")
    eventually(lambda: routes_of(gateway) == {"large"})
    recording.well = True
    wait_for(gateway, "small", "admitted")
    eventually(lambda: routes_of(gateway) == {"small"})
    rows = audit(gateway, "small")
    assert [(row["before"], row["state"]) for row in rows] == [
        (None, "admitted"),
        ("admitted", "demoted"),
        ("demoted", "probation"),
        ("probation", "admitted"),
    ]
    assert [row["state"] for row in audit(gateway, "large")] == ["admitted"]
    assert serving(gateway) == workers and len(workers) == 2
    _check_demotion(rows[1], gateway.state_dir)
    eventually(lambda: len(recording.told) == 5)
    assert rows[1] in [told["admission"] for told in recording.told]
    _check_history(gateway)


def _check_demotion(row: dict[str, Any], state_dir: Path) -> None:
    lines = (state_dir / "watch" / row["run_id"] / "verdicts.jsonl").read_text().splitlines()
    passed = [json.loads(line)["status"] == "pass" for line in lines[: row["tasks"]]]
    passes = passed.index(False)
    assert passed == [True] * passes + [False] * (row["tasks"] - passes)
    assert row["tasks"] - passes == fails_until_demoted(passes) <= 30
    assert "worse than it did" in row["reason"] or "is below 0.5" in row["reason"]
    assert set(row["failing"]) <= set(tasks()["python"]) and row["failing"]
    assert 0 <= row["low"] < row["high"] <= 1


def _check_history(gateway: Gateway) -> None:
    command = [str(WEIGHBRIDGE), "watch", "--history", "--base-url", f"{gateway.url}/v1"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout
    assert "admitted -> demoted" in shown and "failing  python/" in shown
