"""The judge is killed in mid-run: nothing that it had started remains, of any kind of sandbox."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.sandbox import Docker, Program
from evaluator.sandbox.docker_engine import LABEL, own_label
from tests.fixtures.docker import Docker as Client
from tests.fixtures.sandboxes import KINDS, SMALL, gone, groups_of, left_in, processes_with, serving

JUDGE = """
import asyncio, json, sys
from evaluator.sandbox import Bubblewrap, Docker, Limits, Program, Remote
kind, options = sys.argv[1], json.loads(sys.argv[2])
made = {"bubblewrap": Bubblewrap, "bubblewrap-without-cgroups": Bubblewrap, "sandboxd": Remote}.get(kind, Docker)
box = made(**options)
async def main():
    async with box:
        script = "trap '' INT TERM HUP; setsid sleep 1000 & echo up; sleep 1000; : " + sys.argv[3]
        async with box.start(Program(("sh", "-c", script)), Limits()) as run:
            print((await run.read()).decode(), flush=True)
            await asyncio.sleep(1000)
asyncio.run(main())
"""


def judging(kind: str, options: dict[str, object], marker: str) -> "subprocess.Popen[str]":
    """A judge that runs a program, which is up."""
    command = [sys.executable, "-c", JUDGE, kind, json.dumps(options), marker]
    judge = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert judge.stdout is not None
    assert judge.stdout.readline() == "up\n"
    assert kind == "gvisor" or len(processes_with(marker)) > 1
    return judge


def killed(kind: str, options: dict[str, object], marker: str) -> int:
    """Kills a judge in mid-run; its process id."""
    with judging(kind, options, marker) as judge:
        judge.send_signal(signal.SIGKILL)
    return judge.pid


@pytest.mark.parametrize("kind", KINDS)
async def test_a_killed_judge_leaves_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    marker = uuid.uuid4().hex
    if kind == "sandboxd":
        with serving({"kind": "bubblewrap"}) as path:
            killed(kind, {"path": str(path)}, marker)
            await gone(lambda: processes_with(marker))
        return
    if "bubblewrap" in kind:
        pid = killed(kind, {"use_cgroups": kind == "bubblewrap"}, marker)
        await gone(lambda: [*processes_with(marker), *map(str, groups_of(pid))])
        return
    engine: Client = request.getfixturevalue("sandbox_engine")
    pid = killed(kind, {"runtime": "runsc" if kind == "gvisor" else None, "host": engine.host, "warm": 1}, marker)
    await gone(lambda: [*processes_with(marker), *left_in(engine), *map(str, groups_of(pid))])


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The command `weighbridge sandboxd`, and its socket."""
    path = tmp_path / "socket"
    command = [Path(sys.executable).with_name("weighbridge"), "sandboxd", "--socket", path]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert str(path) in process.stderr.readline()
        yield process, str(path)
        process.kill()


async def test_a_killed_sandboxd_leaves_nothing(daemon: tuple["subprocess.Popen[str]", str]) -> None:
    process, path = daemon
    marker = uuid.uuid4().hex
    with judging("sandboxd", {"path": path}, marker) as judge:
        process.kill()
        await gone(lambda: [pid for pid in processes_with(marker) if pid != str(judge.pid)])
        judge.kill()
    await gone(
        lambda: [*(pid for pid in processes_with(path) if pid != str(process.pid)), *map(str, groups_of(process.pid))]
    )


@pytest.mark.timeout(900)
async def test_containers_of_a_dead_judge_go_at_the_next_start(sandbox_engine: Client) -> None:
    mine = own_label()
    host, boot, _, started = mine.split(" ")
    dead = {"gone": f"{host} {boot} {2**22 + 1} 1", "older": f"{host} {boot} {os.getpid()} 1", "boot": f"{host} x 1 1"}
    alive = {"mine": mine, "elsewhere": f"another-host {boot} {2**22 + 1} {started}"}
    for name, label in (dead | alive).items():
        options = ["--name", name, "--label", f"{LABEL}={label}", "--network", "none"]
        sandbox_engine("run", "--detach", *options, "weighbridge-sandbox", "sleep", "1000")
    async with Docker(host=sandbox_engine.host, warm=0) as box, box.start(Program(("true",)), SMALL) as run:
        assert await run.exit_status() == 0
    left = set(sandbox_engine("ps", "--all", "--format", "{{.Names}}").stdout.split())
    sandbox_engine("rm", "--force", *alive)
    assert left == alive.keys()
