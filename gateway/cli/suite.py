"""`weighbridge suite`: what a suite file holds, and whether it can be trusted."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

from evaluator.judging.judge import Judge
from evaluator.judging.suite_check import Checked, check, programs
from evaluator.sandbox import Sandbox, SandboxError
from evaluator.suites import Suite, SuiteError, load_suite
from evaluator.verdict import Status
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.judging_progress import JudgingProgress
from gateway.cli.sandbox import packages_option, sandbox, sandbox_option
from gateway.cli.table import columns

_MOST_SHOWN = 20


@click.group()
def command() -> None:
    """Look at a suite of tasks, your own or a public one."""


@command.command()
@click.argument("suite", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(suite: str, as_json: bool) -> None:
    """Say what FILE holds: tasks, canonical and wrong solutions by language. Nothing is run."""
    loaded = _loaded(suite)
    rows = _by_language(loaded)
    if as_json:
        click.echo(json.dumps({**_named(loaded), "languages": rows}, indent=1))
        return
    click.echo(f"{loaded.name}: {len(loaded.tasks)} tasks, format {loaded.format}, hash {loaded.hash[:12]}")
    click.echo("\n".join(columns([["", "tasks", "canonical", "wrong"], *([*map(str, row.values())] for row in rows)])))


@command.command("check")
@click.argument("suite", metavar="FILE")
@click.option("--parallel", type=click.IntRange(1), help="Programs judged at once. [default: the number of CPUs]")
@packages_option
@sandbox_option
@click.option("--json", "as_json", is_flag=True, help="Print every program's verdict and the summary as one object.")
def check_command(suite: str, parallel: int | None, packages: Path | None, kind: str, as_json: bool) -> None:
    """Run a suite's own solutions: every canonical one must pass, every wrong one listed must not.

    FILE is `builtin`, a part of it (`builtin:go,rust`), or the path of a suite file (.jsonl, .jsonl.gz, .json) in any
    format; docs/suites.md says how to write one. The programs run in the sandbox, as a model's do.

    \b
    Exit codes
      0  all is as it should be
      1  a canonical solution does not pass, or a wrong one does; each is named
      2  the file cannot be read: the message says which line and what to write
      3  something could not be judged: a toolchain or the sandbox is missing

    \b
      weighbridge suite check payroll.jsonl
    """
    loaded = _loaded(suite)
    if not programs(loaded.tasks):
        raise ConfigFailure(f"{suite} holds no solutions, so nothing can be checked; give 'canonical_solution'")
    started = time.monotonic()
    results = asyncio.run(_check(loaded, parallel, sandbox(packages, kind)))
    seconds = round(time.monotonic() - started, 1)
    if as_json:
        summary = {**_named(loaded), **_counts(results), "seconds": seconds}
        click.echo(json.dumps({"programs": [_as_json(result) for result in results], "summary": summary}, indent=1))
    else:
        click.echo("\n".join(_lines(loaded, results, seconds)))
    _fail_where(results)


def _loaded(suite: str) -> Suite:
    try:
        return load_suite(suite)
    except SuiteError as error:
        raise ConfigFailure(str(error)) from error


async def _check(suite: Suite, parallel: int | None, box: Sandbox) -> list[Checked]:
    progress = JudgingProgress(len(programs(suite.tasks)))
    try:
        async with Judge(suite, box, parallel=parallel) as judge, progress.shown():
            return await check(judge, suite.tasks, lambda result: progress.count(result.verdict))
    except SandboxError as error:
        raise MissingFailure(str(error)) from error


def _fail_where(results: Sequence[Checked]) -> None:
    bad = sum(result.as_it_should is False for result in results)
    unknown = [result for result in results if result.as_it_should is None]
    if bad:
        raise Failure(f"{bad} of {len(results)} programs are not judged as they should be")
    if unknown:
        raise MissingFailure(
            f"{len(unknown)} of {len(results)} programs could not be judged: {unknown[0].verdict.detail}"
        )


def _named(suite: Suite) -> dict[str, object]:
    return {"suite": suite.name, "format": suite.format, "suite_hash": suite.hash, "tasks": len(suite.tasks)}


def _by_language(suite: Suite) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for language in sorted({task.language for task in suite.tasks}):
        tasks = [task for task in suite.tasks if task.language == language]
        canonical = sum(bool(task.canonical_solution) for task in tasks)
        wrong = sum(len(task.wrong_solutions) for task in tasks)
        rows.append({"language": language, "tasks": len(tasks), "canonical": canonical, "wrong": wrong})
    return rows


def _counts(results: Sequence[Checked]) -> dict[str, int]:
    canonical = [result for result in results if result.wrong is None]
    wrong = [result for result in results if result.wrong is not None]
    return {
        "canonical": len(canonical),
        "canonical_passed": sum(result.passed for result in canonical),
        "wrong": len(wrong),
        "wrong_failed": sum(result.as_it_should is True for result in wrong),
        "unscorable": sum(result.as_it_should is None for result in results),
    }


def _as_json(result: Checked) -> dict[str, object]:
    return {
        "task_id": result.task.task_id,
        "language": result.task.language,
        "solution": "canonical" if result.wrong is None else f"wrong {result.wrong}",
        "status": result.verdict.status.value,
        "as_it_should": result.as_it_should,
        "detail": result.verdict.detail,
    }


def _lines(suite: Suite, results: Sequence[Checked], seconds: float) -> list[str]:
    counts = _counts(results)
    found = [line for result in results if (line := _problem(result))]
    lines = found[:_MOST_SHOWN]
    if len(found) > _MOST_SHOWN:
        lines.append(f"... and {len(found) - _MOST_SHOWN} more; --json shows all")
    unbuilt = Counter(r.wrong is not None and r.verdict.status is Status.COMPILE_ERROR for r in results)[True]
    if unbuilt:
        lines.append(f"note: {unbuilt} wrong solutions do not even compile; one that runs and errs says more")
    bare = sum(not task.wrong_solutions for task in suite.tasks)
    if bare:
        lines.append(f"note: {bare} tasks list no wrong solution; one or two a task show that the tests see mistakes")
    said = f"{counts['canonical_passed']} of {counts['canonical']} canonical solutions pass"
    said += f", {counts['wrong_failed']} of {counts['wrong']} wrong ones fail"
    return [*lines, f"{suite.name}: {len(suite.tasks)} tasks; {said}; {seconds} s"]


def _problem(result: Checked) -> str:
    """A line for what is not as it should be, and what to do; empty where all is well."""
    name, verdict = result.task.task_id, result.verdict
    if result.as_it_should is None:
        return f"{name}: cannot be judged: {verdict.detail}"
    if result.as_it_should:
        return ""
    if result.wrong is None:
        said = f"{verdict.status.value}: {verdict.detail}"
        return f"{name}: the canonical solution does not pass ({said}); mend it, or what is expected of it"
    return f"{name}: wrong solution {result.wrong} passes; add a test that it fails"
