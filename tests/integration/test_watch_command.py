"""`weighbridge watch` as a command, against a gateway that does not watch itself."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluator.judging.judge import Judge
from evaluator.replaying.client import Client, Sampling
from evaluator.sandbox import Bubblewrap
from evaluator.store.run_folder import held
from evaluator.suites import load_suite
from evaluator.suites.load import BUILTIN
from evaluator.verdict import Status
from evaluator.watching.weighing import Weighing
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, start_gateway, vllm_route
from tests.fixtures.upstream import Received, Upstream, says
from tests.fixtures.waiting import eventually

SUITE = load_suite("builtin:python")
GATE = {"suite": "builtin", "language": "python", "at_least": 0.6}
Watch = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def watched_gateway(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {
        "routes": {
            "small": vllm_route(upstream_server.url, licence="mit"),
            "unnamed": vllm_route(upstream_server.url),
        },
        "policies": {
            "auto": {"require": {"pass_at_1": GATE, "licence": "mit"}},
            "elsewhere": {"require": {"pass_at_1": {"suite": "humaneval+", "at_least": 0.5}}},
        },
    }
    gateway = start_gateway(tmp_path_factory.mktemp("watched"), config)
    yield gateway
    gateway.stop()


@pytest.fixture
def watch(watched_gateway: Gateway, tmp_path: Path) -> Watch:
    def run(*options: str, rounds: int = 1, code: int = 0) -> "subprocess.CompletedProcess[str]":
        env = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(tmp_path)}
        where = ("--base-url", f"{watched_gateway.url}/v1", "--rounds", str(rounds), "--every", "0.01")
        done = subprocess.run(
            [str(WEIGHBRIDGE), "watch", *where, *options], capture_output=True, text=True, env=env, timeout=200
        )
        assert done.returncode == code, done.stderr
        return done

    return run


async def solves(received: Received, writer: asyncio.StreamWriter) -> None:
    prompt = received.json["messages"][-1]["content"]
    task = next(task for task in SUITE.tasks if task.prompt.strip() in prompt)
    await says(f"```python\n{task.canonical_solution}\n```")(received, writer)


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """Whole ones: the last may still be on its way."""
    texts = (file.read_text().rpartition("\n")[0] for file in sorted(folder.glob(f"watch/*/{name}")))
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_it_asks_small_slices_of_what_a_gate_names_and_goes_on_where_it_stopped(
    watch: Watch, watched_gateway: Gateway, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.behaviour = solves
    watch("builtin:python,rust", "--draws", "3", rounds=2)
    watch("builtin:python,rust", "--draws", "4")
    samples = rows(tmp_path, "samples.jsonl")
    assert [(row["sample"], row["route"], row["language"]) for row in samples] == [
        (number, "small", "python") for number in range(10)
    ]
    assert {row["cache"] for row in samples} == {"bypass"}
    assert [row["status"] for row in rows(tmp_path, "verdicts.jsonl")] == ["pass"] * 10
    (change,) = rows(tmp_path, "changes.jsonl")
    assert (change["after"], change["admission"]["state"]) == (10, "admitted")
    (told,) = watched_gateway.http.get("/v1/admissions").json()["admissions"]
    assert told == change["admission"]
    history = json.loads(watch("--history", "--json").stdout)
    assert history == {"admissions": [told]}


def test_it_asks_nothing_without_money_or_while_others_wait(watch: Watch, upstream: Upstream, tmp_path: Path) -> None:
    said = watch("builtin:python", "--usd-per-day", "0.0000000001", "--draws", "4", rounds=2).stderr
    assert len(rows(tmp_path, "samples.jsonl")) == 1 and "budget is spent" in said
    upstream.waiting = 2
    try:
        watch("builtin:python")
    finally:
        upstream.waiting = 0
    assert len(rows(tmp_path, "samples.jsonl")) == 1


async def test_an_answer_of_another_revision_is_no_measurement_of_this_one(
    watched_gateway: Gateway, upstream: Upstream
) -> None:
    upstream.behaviour = solves
    base_url, task = f"{watched_gateway.url}/v1", SUITE.tasks[0]
    async with Client(base_url, None) as client, Judge(SUITE, Bubblewrap(), parallel=1) as judge:
        target = await client.target("small", "route")
        weighing = Weighing(client, judge, SUITE, target, Sampling(), seed=0)
        weighed = await weighing.weigh(task, 3)
        assert weighed is not None and weighed[1].status is Status.PASS and weighed[1].cost_nanousd
        other = replace(weighing, target=replace(target, revision="another"))
        assert await other.weigh(task, 3) is None
        assert other.plan.run_id != weighing.plan.run_id


def test_a_suite_that_no_gate_names_is_said(watch: Watch, tmp_path: Path) -> None:
    suite = tmp_path / "own.jsonl"
    suite.write_text((BUILTIN / "python.jsonl").read_text())
    said = watch(str(suite)).stderr
    assert "no gate is on a suite that is named" in said and '"own"' in said and '"humaneval+"' in said
    assert rows(tmp_path, "samples.jsonl") == []


def test_there_is_one_watcher_at_a_time(watch: Watch, tmp_path: Path) -> None:
    with held(tmp_path / "watch"):
        assert "another process" in watch("builtin:python", code=1).stderr


def test_a_section_that_changes_takes_effect_and_one_that_goes_ends_it(upstream: Upstream, tmp_path: Path) -> None:
    upstream.behaviour = solves
    config = {
        "routes": {"small": vllm_route(upstream.url)},
        "policies": {"auto": {"require": {"pass_at_1": GATE}}},
        "watch": {"suites": "builtin:rust", "every_s": 0.01},
    }
    gateway = start_gateway(tmp_path, config)
    try:
        assert gateway.http.get("/v1/watch").json()["gates"][0]["language"] == "python"
        path = tmp_path / "weighbridge.yaml"
        path.write_text(json.dumps({**config, "watch": {"suites": "builtin:python", "every_s": 0.01}}))
        eventually(lambda: rows(gateway.state_dir, "verdicts.jsonl"))
        path.write_text(json.dumps({key: value for key, value in config.items() if key != "watch"}))
        eventually(lambda: len(gateway.logged("config accepted")) == 2)
        eventually(lambda: not _watchers(gateway))
    finally:
        gateway.stop()


def _watchers(gateway: Gateway) -> list[int]:
    found = []
    for pid in gateway.children():
        with suppress(OSError):  # it may have ended
            found += [pid] if b"\0watch\0" in Path(f"/proc/{pid}/cmdline").read_bytes() else []
    return found
