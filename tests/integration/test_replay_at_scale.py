"""A replay's memory does not grow with what it asks; killed in the middle, it goes on and asks nothing twice."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve
from tests.fixtures.synthetic import Synthetic, synthetic

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)")

SAMPLES = 3
CONCURRENCY = 8
MOST_MB = 500


@dataclass
class Finished:
    """A replay that has ended; ``peak_mb`` is its process's own (VmHWM), in MB (10^6 bytes)."""

    summary: dict[str, Any]
    said: str
    peak_mb: float


class Run:
    """`weighbridge replay` as a process, watched until it ends or is killed."""

    def __init__(self, gateway: Gateway, suite: Path, folder: Path) -> None:
        env = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir), "WEIGHBRIDGE_CACHE_DIR": str(folder)}
        command: list[str | Path] = [
            WEIGHBRIDGE,
            "replay",
            suite,
            "--route",
            "recorded",
            "--samples",
            str(SAMPLES),
            "--json",
        ]
        command += ["--concurrency", str(CONCURRENCY), "--base-url", gateway.url + "/v1"]
        self._out, self._err = folder / "out", folder / "err"
        self._samples = gateway.state_dir / "replays"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(command, env=env, stdout=out, stderr=err)
        self.peak_mb = 0.0

    def stored(self) -> list[tuple[str, int]]:
        """Samples in the journal, without a line that is being written."""
        files = list(self._samples.glob("*/samples.jsonl"))
        rows = [json.loads(line) for file in files for line in file.read_bytes().split(b"\n")[:-1]]
        return [(row["task_id"], row["sample"]) for row in rows]

    def kill_when_stored(self, count: int) -> None:
        while len(self.stored()) < count:
            assert self.process.poll() is None, self._err.read_text()
            self._look()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def finish(self) -> Finished:
        while self.process.poll() is None:
            self._look()
        assert self.process.returncode == 0, self._err.read_text()[-2000:]
        return Finished(json.loads(self._out.read_bytes())["summary"], self._err.read_text(), self.peak_mb)

    def _look(self) -> None:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        if found := re.search(r"VmHWM:\s+(\d+) kB", status):  # none once it has ended
            self.peak_mb = max(self.peak_mb, int(found[1]) * 1024 / 1e6)
        time.sleep(0.1)


def replay_with_a_kill(serve: Serve, folder: Path, tasks: int, kill_at: int) -> tuple[Synthetic, Finished]:
    made = synthetic(folder, tasks)
    route = {"backend": "recorded", "recording": str(made.recording), "price": {"input": 1, "output": 2}}
    gateway = serve({"routes": {"recorded": route}})
    first = Run(gateway, made.suite, folder)
    first.kill_when_stored(kill_at)
    before = first.stored()
    second = Run(gateway, made.suite, folder)
    finished = second.finish()
    every = Counter(second.stored())
    assert set(every.values()) == {1}, "a stored sample was asked again"
    assert len(every) == tasks * SAMPLES == finished.summary["asked"]
    assert finished.summary["asked_now"] == tasks * SAMPLES - len(before)
    assert second.stored()[: len(before)] == before
    finished.peak_mb = max(finished.peak_mb, first.peak_mb)
    return made, finished


def check(made: Synthetic, tasks: int, finished: Finished) -> None:
    assert finished.summary["statuses"] == {"pass": made.right * SAMPLES, "fail": (tasks - made.right) * SAMPLES}
    assert finished.summary["pass_at_1"] == pytest.approx(made.right / tasks)
    assert finished.peak_mb < MOST_MB
    lines = finished.said.splitlines()
    shown = [
        re.match(rf".*: (\d+)/{tasks * SAMPLES} samples \| pass@1 (-|0\.\d+) \| .* \| ETA ", line) for line in lines
    ]
    assert shown and all(shown), finished.said[-2000:]


@pytest.mark.timeout(600)
def test_a_killed_replay_of_a_small_suite(serve: Serve, tmp_path: Path) -> None:
    made, finished = replay_with_a_kill(serve, tmp_path, tasks=120, kill_at=150)
    check(made, 120, finished)


@pytest.mark.full
@pytest.mark.timeout(5400)
def test_twelve_thousand_tasks_three_times_in_less_than_500_mb(
    serve: Serve, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    made, finished = replay_with_a_kill(serve, tmp_path, tasks=12_000, kill_at=12_000)
    check(made, 12_000, finished)
    with capsys.disabled():
        click.echo(f"\n36,000 samples: {finished.peak_mb:.0f} MB at the most, {time.monotonic() - began:.0f} s")
