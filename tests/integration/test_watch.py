"""Gateways that watch: a route that answers worse is demoted, and comes back when it is well again."""

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluator.suites import load_suite
from evaluator.watching.standing import Draw, Gate, Standing
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve, start_gateway, vllm_route
from tests.fixtures.keys import shared_valkey
from tests.fixtures.upstream import Received, Upstream, answers_json, says
from tests.fixtures.waiting import eventually

SUITE = load_suite("builtin:python")
GATE = {"suite": "builtin", "at_least": 0.8}
WATCH = {"suites": "builtin:python", "draws": 4, "every_s": 0.01, "rest_s": 1, "usd_per_day": 5}
PAGE = Path(__file__).parents[2] / "docs" / "watch.md"
HISTORY = 50
"""Answers until the route falls from 1.00 to 0.50; docs/watch.md has a row for it."""


class Recording:
    """Answers the suite's tasks as they were once answered, all right; after ``HISTORY`` answers every other wrong, by
    chance, until it is ``healed``.
    """

    def __init__(self) -> None:
        self.healed = False
        self.asked = 0
        self.told: list[dict[str, Any]] = []
        self._rng = random.Random(1)

    async def __call__(self, received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path == "/hook":
            self.told.append(received.json)
            await answers_json({})(received, writer)
            return
        prompt = received.json["messages"][-1]["content"]
        task = next((task for task in SUITE.tasks if task.prompt.strip() in prompt), None)
        answer = "hello"
        if task is not None:
            self.asked += 1
            is_worse = self.asked > HISTORY and not self.healed and self._rng.random() < 0.5
            answer = task.wrong_solutions[0] if is_worse else task.canonical_solution
        await says(f"```python\n{answer}\n```")(received, writer)


def recorded_route(folder: Path) -> dict[str, Any]:
    lines = [{"prompt": task.prompt.strip(), "solution": task.canonical_solution} for task in SUITE.tasks]
    lines.append({"prompt": "hi", "solution": "hello"})
    (folder / "large.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return {"backend": "recorded", "recording": str(folder / "large.jsonl"), "price": {"input": 10, "output": 20}}


def routes_of(gateway: Gateway) -> set[str]:
    """Where its workers send a request: whichever answers."""
    answers = [gateway.chat("hi", model="auto", headers={"cache-control": "no-store"}) for _ in range(6)]
    return {str(answer.headers.get("x-weighbridge-route")) for answer in answers}


def audit(gateway: Gateway, route: str) -> list[dict[str, Any]]:
    """Changes of state, oldest first."""
    rows = gateway.http.get("/v1/admissions").json()["admissions"]
    return [row for row in reversed(rows) if row["route"] == route and row["before"] != row["state"]]


def admitted(gateway: Gateway) -> set[str]:
    """Routes that ever were."""
    time.sleep(0.2)
    rows = gateway.http.get("/v1/admissions").json()["admissions"]
    return {row["route"] for row in rows if row["state"] == "admitted"}


def running(gateway: Gateway, what: bytes) -> set[int]:
    """Process ids of its children with this in their command."""
    found = set()
    for pid in gateway.children():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:  # it has just ended
            continue
        if what in command:
            found.add(pid)
    return found


def workers(gateway: Gateway) -> set[int]:
    return running(gateway, b"gateway.processes.worker")


def watchers(gateway: Gateway) -> set[int]:
    return running(gateway, b"\0watch\0")


def wait_for(gateway: Gateway, route: str, *states: str) -> None:
    """Looks seldom: the route is being asked meanwhile, on the same machine."""

    def reached() -> bool:
        time.sleep(0.2)
        return bool(set(states) & {row["state"] for row in audit(gateway, route)[-1:]})

    eventually(reached, 120)


@pytest.fixture
def pair(upstream: Upstream, tmp_path: Path) -> Iterator[tuple[Gateway, Gateway, Recording]]:
    """Two gateways with one configuration, the first with two workers, and the server behind their cheap route."""
    recording = Recording()
    upstream.behaviour = recording
    gateways: list[Gateway] = []
    with shared_valkey(tmp_path) as url:
        config = {
            "routes": {"small": vllm_route(upstream.url), "large": recorded_route(tmp_path)},
            "policies": {"auto": {"require": {"pass_at_1": GATE}}},
            "cache": {"url": url},
            "watch": {**WATCH, "webhook": f"{upstream.url}/hook"},
        }
        try:
            for name, number in (("one", "2"), ("two", "1")):
                (tmp_path / name).mkdir()
                gateways.append(start_gateway(tmp_path / name, config, "--workers", number))
            yield gateways[0], gateways[1], recording
        finally:
            for gateway in gateways:
                gateway.stop()


def test_of_two_gateways_one_watches_and_both_leave_a_route_that_answers_worse_until_it_heals(
    pair: tuple[Gateway, Gateway, Recording],
) -> None:
    one, two, recording = pair
    served_by = workers(one), workers(two)
    eventually(lambda: watchers(one) or watchers(two))
    watching, other = (one, two) if watchers(one) else (two, one)
    for gateway in pair[:2]:
        eventually(lambda gateway=gateway: {"small", "large"} <= admitted(gateway), 120)  # type: ignore[misc]
    for gateway in pair[:2]:
        wait_for(gateway, "small", "demoted", "probation")
        eventually(lambda gateway=gateway: routes_of(gateway) == {"large"})  # type: ignore[misc]
    assert not watchers(other)
    recording.healed = True
    for gateway in pair[:2]:
        wait_for(gateway, "small", "admitted")
        eventually(lambda gateway=gateway: routes_of(gateway) == {"small"})  # type: ignore[misc]
    rows = audit(one, "small")
    assert audit(two, "small") == rows
    steps = [(row["before"], row["state"]) for row in rows]
    assert steps[:3] == [(None, "admitted"), ("admitted", "demoted"), ("demoted", "probation")]
    assert steps[-1] == ("probation", "admitted")
    assert [row["state"] for row in audit(other, "large")] == ["admitted"]
    _check_demotion(rows[1], watching.state_dir)
    eventually(lambda: rows[1] in [told["admission"] for told in recording.told])
    _check_history(other)
    assert (workers(one), workers(two)) == served_by and [len(each) for each in served_by] == [2, 1]
    watching.stop()
    eventually(lambda: watchers(other))


def _check_demotion(row: dict[str, Any], state_dir: Path) -> None:
    """It is what the rules say of these answers, and as soon as docs/watch.md predicts."""
    lines = (state_dir / "watch" / row["run_id"] / "verdicts.jsonl").read_text().splitlines()
    verdicts = [json.loads(line) for line in lines]
    standing = Standing(Gate("builtin", None, 0.8, 0.95), {"python": tuple(task.task_id for task in SUITE.tasks)})
    changes = []
    for verdict in verdicts[: row["tasks"]]:
        standing.add([Draw("python", verdict["task_id"], verdict["status"] == "pass")])
        changes += [change for change in (standing.decided(),) if change is not None]
    assert {change.state for change in changes[:-1]} == {"admitted"}
    assert (changes[-1].state, changes[-1].draws, changes[-1].reason) == ("demoted", row["tasks"], row["reason"])
    assert row["tasks"] - HISTORY <= predicted()
    assert "worse than it did" in row["reason"] or "is below 0.8" in row["reason"]
    failed = {verdict["task_id"] for verdict in verdicts[: row["tasks"]] if verdict["status"] != "pass"}
    assert row["failing"] and set(row["failing"]) <= failed
    assert 0 <= row["low"] < row["high"] <= 1


def predicted() -> int:
    """Draws within which nine of ten routes with this fall are demoted, as the page's simulation says."""
    row = re.search(
        rf"^\| always or never \| 1\.00 to 0\.50 \| {HISTORY} \|.*\| (\d+) \|$", PAGE.read_text(), re.MULTILINE
    )
    assert row is not None
    return int(row[1])


def _check_history(gateway: Gateway) -> None:
    command = [str(WEIGHBRIDGE), "watch", "--history", "--base-url", f"{gateway.url}/v1"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100).stdout
    assert "admitted -> demoted" in shown and "failing  python/" in shown


def test_watching_that_is_killed_goes_on_where_it_was(serve: Serve, tmp_path: Path) -> None:
    config = {
        "routes": {"large": recorded_route(tmp_path)},
        "policies": {"auto": {"require": {"pass_at_1": GATE}}},
        "watch": WATCH,
    }
    gateway = serve(config)
    served_by = workers(gateway)
    wait_for(gateway, "large", "admitted")
    (killed,) = watchers(gateway)
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: watchers(gateway) - {killed})
    (folder,) = (gateway.state_dir / "watch").glob("watch-*")
    before = len(_draws(folder))
    eventually(lambda: len(_draws(folder)) >= before + 4)
    assert _draws(folder) == list(range(len(_draws(folder))))
    assert [row["state"] for row in audit(gateway, "large")] == ["admitted"]
    assert workers(gateway) == served_by
    assert [event["code"] for event in gateway.logged("watching ended")] == [-signal.SIGKILL]


def _draws(folder: Path) -> list[int]:
    """Numbers of the draws whose verdicts are on the disk."""
    whole = (folder / "verdicts.jsonl").read_text().rpartition("\n")[0]
    return [json.loads(line)["sample"] for line in whole.splitlines()]
