"""What is measured: `evalplus.evaluate` and `weighbridge judge`, each as a user starts it, isolation and all."""

import gzip
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench.process import ends_with_us

_WEIGHBRIDGE = Path(sys.executable).with_name("weighbridge")
_WITHIN_S = 1800
Verdicts = dict[tuple[str, int], tuple[bool, bool]]
"""By task and sample: whether it passes the base tests, and the plus tests."""


class JudgeFailed(Exception):
    """A judge gave no verdicts; the message ends with what it said."""


@dataclass(frozen=True, slots=True)
class Work:
    """What both judge: a suite in EvalPlus's format, and programs (``solution``) for all of its tasks."""

    suite: Path
    samples: Path


@dataclass(frozen=True, slots=True)
class Judged:
    """Seconds from starting the process until all verdicts are there, and until it has ended."""

    verdicts: Verdicts
    seconds: float
    exit_seconds: float


@dataclass(frozen=True, slots=True)
class System:
    """``judge`` keeps its oracle in the folder that it is given: an empty one makes it start cold."""

    name: str
    judge: Callable[[Work, Path], Judged]


def work(suite: Path, samples: Path, tasks: int | None, folder: Path) -> Work:
    """The first ``tasks`` tasks (all, if None); the recorded completions hold whole programs, so both get those."""
    chosen = dict(islice(((row["task_id"], row) for row in _rows(suite)), tasks))
    programs = [
        {"task_id": row["task_id"], "solution": row["completion"]} for row in _rows(samples) if row["task_id"] in chosen
    ]
    made = Work(folder / "suite.jsonl", folder / "samples.jsonl")
    for path, rows in ((made.suite, chosen.values()), (made.samples, programs)):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return made


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


def weighbridge() -> System:
    return System(f"Weighbridge {importlib.metadata.version('weighbridge')}", _judge_ourselves)


def evalplus(home: Path) -> System:
    """``home``: what deploy/bench-judge/install.sh printed."""
    python = home / "evalplus/bin/python"
    ask = "import importlib.metadata; print(importlib.metadata.version('evalplus'))"
    version = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()

    def judge(work: Work, cache: Path) -> Judged:
        return _judge_by_evalplus(python.with_name("evalplus.evaluate"), work, cache)

    return System(f"EvalPlus {version}", judge)


def _judge_ourselves(work: Work, cache: Path) -> Judged:
    said = cache.with_suffix(".json")
    command: list[str | Path] = [_WEIGHBRIDGE, "judge", work.suite, "--samples", work.samples, "--json"]
    with said.open("wb") as output:
        process, began = _start(command, {"WEIGHBRIDGE_CACHE_DIR": str(cache)}, output.fileno(), cache)
        seconds = _end(process, began, cache)
    rows = json.loads(said.read_bytes())["verdicts"]
    unscorable = [row["detail"] for row in rows if row["status"] == "unscorable"]
    if unscorable:
        raise JudgeFailed(f"{len(unscorable)} samples were unscorable: {unscorable[0]}")
    verdicts = {(row["task_id"], row["sample"]): (row["base"] == "pass", row["plus"] == "pass") for row in rows}
    return Judged(verdicts, seconds, seconds)


def _judge_by_evalplus(program: Path, work: Work, cache: Path) -> Judged:
    """Its verdicts are there when its file is whole; a thread of its own may keep the process for up to 20 s more."""
    results = work.samples.with_name("samples_eval_results.json")
    results.unlink(missing_ok=True)
    command: list[str | Path] = [program, "humaneval", "--samples", work.samples, "--parallel", str(os.cpu_count())]
    env = {"XDG_CACHE_HOME": str(cache), "HUMANEVAL_OVERRIDE_PATH": str(work.suite), "HF_HUB_OFFLINE": "1"}
    process, began = _start(command, env, subprocess.DEVNULL, cache)
    while (found := _whole(results)) is None and process.poll() is None:
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    exit_seconds = _end(process, began, cache)
    found = found or _whole(results)
    if found is None:
        raise JudgeFailed(f"EvalPlus wrote no results: {_said(cache)}")
    verdicts = {
        (task_id, number): (row["base_status"] == "pass", row["plus_status"] == "pass")
        for task_id, rows in found["eval"].items()
        for number, row in enumerate(rows)
    }
    return Judged(verdicts, seconds, exit_seconds)


def _whole(path: Path) -> dict[str, Any] | None:
    """None while it is not there, or not written to its end."""
    try:
        return dict(json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError):
        return None


def _start(
    command: list[str | Path], env: Mapping[str, str], stdout: int, cache: Path
) -> tuple["subprocess.Popen[bytes]", float]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("WEIGHBRIDGE_", "PYTHONDONTWRITEBYTECODE"))}
    with cache.with_suffix(".log").open("wb") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=log, env={**inherited, **env},
            start_new_session=True, preexec_fn=ends_with_us(),
        )  # fmt: skip
    return process, began


def _end(process: "subprocess.Popen[bytes]", began: float, cache: Path) -> float:
    """Seconds from its start to its end."""
    status = process.wait(timeout=_WITHIN_S)
    if status != 0:
        raise JudgeFailed(f"{process.args!r} ended with {status}: {_said(cache)}")
    return time.perf_counter() - began


def _said(cache: Path) -> str:
    return cache.with_suffix(".log").read_text(errors="replace")[-2000:]
