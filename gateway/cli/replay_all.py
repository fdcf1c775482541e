"""`weighbridge replay --all`: every route on every suite, one after the other."""

import hashlib
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from evaluator.replaying.summary import Summary
from evaluator.suites import SuiteError, load_suite
from gateway.cli.failure import ConfigFailure, Failure
from gateway.cli.gateway_client import get_json
from gateway.cli.replay_run import Options, replayed

Result = dict[str, object]


async def replay_all(options: Sequence[Options]) -> None:
    """``options``: one a suite, without a route. Raises Failure at the end where a replay failed."""
    first = options[0]
    identity = _identity(options)
    runs = [replace(each, route=route) for each in options for route in _routes(first.base_url)]
    book = _Book(first.state_dir / "replays-all" / identity, [each.suite for each in options], first, len(runs))
    for run in runs:
        await book.take(run)
    click.echo(book.path("results.json").read_text() if first.as_json else book.text())
    if book.failed:
        raise Failure(f"{book.failed} of {len(runs)} replays failed: see {book.path('replay.log')}")


def _routes(base_url: str) -> list[str]:
    models: Mapping[str, Sequence[Mapping[str, Mapping[str, object]]]] = get_json(base_url, "models")
    routes = [str(each["id"]) for each in models["data"] if each.get("weighbridge", {}).get("kind") == "route"]
    if not routes:
        raise ConfigFailure(f"{base_url} names no route: --all needs a Weighbridge gateway")
    return routes


def _identity(options: Sequence[Options]) -> str:
    """Equal for equal commands on equal suites; a suite that cannot be read is told before anything is asked."""
    try:
        hashes = [load_suite(each.suite).hash for each in options]
    except SuiteError as error:
        raise ConfigFailure(str(error)) from error
    return hashlib.sha256(json.dumps([hashes, options[0].conditions]).encode()).hexdigest()[:12]


def _problem(summary: Summary) -> str | None:
    if not summary.tally.scored:
        reasons = ", ".join(reason for reason, _ in summary.tally.reasons.most_common(1))
        return f"no sample was scored: {reasons or 'all came from the cache'}"
    if summary.cached is not None and summary.cached.unlike:
        return f"{len(summary.cached.unlike)} cached answers scored otherwise than the fresh ones"
    return None if summary.posted.as_wanted else f"scorecards {summary.posted.note}"


class _Book:
    """``results.json``, whole after every replay, and ``replay.log``, which is only ever added to."""

    def __init__(self, folder: Path, suites: Sequence[str], options: Options, total: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._total = total
        self._command = shlex.join(["weighbridge", "replay", "--all", *suites, *options.conditions])
        self._results: list[Result] = []
        self._lines: list[str] = []
        self._log(f"{total} replays: {self._command}")

    @property
    def failed(self) -> int:
        return sum(result["error"] is not None for result in self._results)

    def path(self, name: str) -> Path:
        return self._folder / name

    def text(self) -> str:
        return "\n".join([*self._lines, f"results in {self.path('results.json')}, log in {self.path('replay.log')}"])

    async def take(self, run: Options) -> None:
        label = f"[{len(self._results) + 1}/{self._total}] "
        result: Result = {"suite": run.suite, "route": run.route, "error": None, "result": None}
        click.echo(f"{label}{run.suite} on {run.route}", err=True)
        try:
            summary = await replayed(run, label)
        except Failure as failure:
            result["error"] = str(failure)
            said = [f"{run.suite} on {run.route} failed: {failure}"]
        else:
            said = summary.lines()
            result["result"] = summary.as_json()
            result["error"] = _problem(summary)
        self._results.append(result)
        self._write()
        self._log("\n".join([label + said[0], *said[1:]]))
        self._lines += [label + said[0], *said[1:2]]

    def _write(self) -> None:
        document = {
            "command": self._command,
            "replays": self._total,
            "done": len(self._results),
            "failed": self.failed,
            "results": self._results,
        }
        draft = self.path(".results.json")
        draft.write_text(json.dumps(document, indent=2))
        draft.replace(self.path("results.json"))

    def _log(self, text: str) -> None:
        with self.path("replay.log").open("a") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {text}\n")
            log.flush()
            os.fsync(log.fileno())
