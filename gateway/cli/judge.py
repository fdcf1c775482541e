"""`weighbridge judge`: verdicts on answers that exist already; no gateway, no model."""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from evaluator.judging.judge import Judge
from evaluator.replaying.samples import Sample, read_samples
from evaluator.sandbox import Sandbox, SandboxError
from evaluator.statistics import mean_pass_at_k
from evaluator.suites import Suite, SuiteError, load_suite
from evaluator.verdict import Status, Verdict
from gateway.cli.failure import ConfigFailure, MissingFailure
from gateway.cli.judging_progress import JudgingProgress
from gateway.cli.sandbox import packages_option, sandbox, sandbox_option
from gateway.cli.table import columns
from policies.correctness import Correctness
from policies.scorecard import Unit

_CONFIDENCE = 0.95


@click.command()
@click.argument("suite")
@click.option(
    "--samples", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The answers (.jsonl, .jsonl.gz)."
)
@click.option("--parallel", type=click.IntRange(1), help="Samples judged at once. [default: the number of CPUs]")
@click.option("--limit", type=click.IntRange(1), help="Only the first so many samples; the result is partial.")
@packages_option
@sandbox_option
@click.option("--json", "as_json", is_flag=True, help="Print verdicts and summary as one JSON object.")
def command(
    suite: str,
    samples: Path,
    parallel: int | None,
    limit: int | None,
    packages: Path | None,
    kind: str,
    as_json: bool,
) -> None:
    """Run answers that you have, and say which are right.

    SUITE is `builtin`, a part of it (`builtin:go,rust`), or the path of a suite file (.jsonl, .jsonl.gz, .json). FILE
    holds one JSON object a line: {"task_id", "completion"}, a model's answer, or {"task_id", "solution"}, a whole
    program. Several lines of one task are its samples 0, 1, ...

    The code runs in a sandbox: no network, nothing of this machine but its programs, limited time, memory and
    processes. Exit code 0 also where answers are wrong: judging worked.

    \b
      weighbridge judge HumanEvalPlus-v0.1.10.jsonl.gz --samples answers.jsonl
    """
    try:
        loaded = load_suite(suite)
        chosen = read_samples(samples, loaded)
    except SuiteError as error:
        raise ConfigFailure(str(error)) from error
    started = time.monotonic()
    verdicts = asyncio.run(_judge(loaded, chosen[:limit], parallel, sandbox(packages, kind)))
    summary = _summary(loaded, verdicts, time.monotonic() - started, partial=len(verdicts) < len(chosen))
    if as_json:
        click.echo(json.dumps({"verdicts": [_as_json(verdict) for verdict in verdicts], "summary": summary}, indent=1))
    else:
        click.echo("\n".join([*_lines(summary), *_first_wrong(verdicts)]))
    unscorable = [verdict for verdict in verdicts if verdict.status is Status.UNSCORABLE]
    if unscorable:
        click.echo(f"{len(unscorable)} unscorable, the first: {unscorable[0].detail}", err=True)
    if len(unscorable) == len(verdicts):
        raise MissingFailure("nothing could be judged; `weighbridge doctor` says what is missing")


async def _judge(suite: Suite, samples: Sequence[Sample], parallel: int | None, box: Sandbox) -> Sequence[Verdict]:
    try:
        async with Judge(suite, box, parallel=parallel) as judge:
            progress = JudgingProgress(len(samples))
            async with progress.shown():
                return await asyncio.gather(*(_verdict(judge, sample, progress) for sample in samples))
    except SandboxError as error:
        return [Verdict(s.task.task_id, s.number, Status.UNSCORABLE, detail=str(error)) for s in samples]


async def _verdict(judge: Judge, sample: Sample, progress: JudgingProgress) -> Verdict:
    ask = judge.verdict_on_code if sample.is_program else judge.verdict
    verdict = await ask(sample.task, sample.number, sample.text)
    progress.count(verdict)
    return verdict


def _summary(suite: Suite, verdicts: Sequence[Verdict], seconds: float, *, partial: bool) -> dict[str, object]:
    scored = [verdict for verdict in verdicts if verdict.status.scored]
    split = any(verdict.base is not None for verdict in scored)
    passed = [verdict for verdict in scored if verdict.status is Status.PASS]
    base = [verdict for verdict in scored if verdict.base is Status.PASS]
    rate, interval = _rate(scored, passed)
    base_rate, base_interval = _rate(scored, base) if split else (None, None)
    return {
        "suite": suite.name,
        "suite_hash": suite.hash,
        "partial": partial,
        "tasks": len({verdict.task_id for verdict in verdicts}),
        "samples": len(verdicts),
        "scored": len(scored),
        "statuses": dict(Counter(verdict.status.value for verdict in verdicts)),
        "passed": len(passed),
        "pass_at_1": rate,
        "pass_at_1_interval": interval,
        "base_passed": len(base) if split else None,
        "base_pass_at_1": base_rate,
        "base_pass_at_1_interval": base_interval,
        "plus_passed": len(passed) if split else None,
        "confidence": _CONFIDENCE,
        "seconds": round(seconds, 2),
        "cpus": os.cpu_count(),
    }


def _rate(scored: Sequence[Verdict], passed: Sequence[Verdict]) -> tuple[float | None, tuple[float, float] | None]:
    """pass@1 over tasks, and its interval: a task's x is its passes divided by its scored samples."""
    samples = Counter(verdict.task_id for verdict in scored)
    passes = Counter(verdict.task_id for verdict in passed)
    rate = mean_pass_at_k([(count, passes[task_id]) for task_id, count in samples.items()], 1)
    shares = Counter(passes[task_id] / count for task_id, count in samples.items())
    units = [Unit(x, 1, count) for x, count in shares.items()]
    once = all(count == 1 for count in samples.values())
    return rate, Correctness(rate, len(samples), once, units).interval(_CONFIDENCE)


def _as_json(verdict: Verdict) -> dict[str, object]:
    return {
        "task_id": verdict.task_id,
        "sample": verdict.sample,
        "status": verdict.status.value,
        "base": verdict.base.value if verdict.base else None,
        "plus": verdict.plus.value if verdict.plus else None,
        "detail": verdict.detail,
    }


def _first_wrong(verdicts: Sequence[Verdict]) -> list[str]:
    """One of them, so that a mistake in the file of answers shows."""
    wrong = next((verdict for verdict in verdicts if verdict.status.scored and verdict.status is not Status.PASS), None)
    if wrong is None:
        return []
    where = f"{wrong.task_id}, sample {wrong.sample}"
    return [f"the first that does not pass (--json has all): {where}: {wrong.status.value}: {wrong.detail}"]


def _lines(summary: dict[str, object]) -> list[str]:
    rows = [["", "passed", "pass@1", "95% interval"]]
    for name, prefix in (("base tests", "base_"), ("all tests", "")):
        interval = summary[f"{prefix}pass_at_1_interval"]
        if isinstance(interval, tuple):
            passed = f"{summary[f'{prefix}passed']}/{summary['scored']}"
            low, high = interval
            rows.append([name, passed, f"{summary[f'{prefix}pass_at_1']:.3f}", f"{low:.3f} to {high:.3f}"])
    statuses = summary["statuses"]
    assert isinstance(statuses, dict)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
    note = " (partial)" if summary["partial"] else ""
    title = f"{summary['suite']}{note}: {summary['samples']} samples of {summary['tasks']} tasks"
    return [title, *(columns(rows) if len(rows) > 1 else []), f"{counts}; {summary['seconds']} s"]
