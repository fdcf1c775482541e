"""`python -m tests.bench.affinity`: how much of each prompt real vLLM servers find in their prefix caches."""

import asyncio
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

import click

from backends.vllm_server import ServerFailed, wait_until_ready
from tests.bench.affinity.agents import AGENTS, TURNS, Run, work
from tests.bench.affinity.policies import Policy, Started, policies
from tests.bench.affinity.replicas import CACHE_TOKENS, MODEL, Counters, Replicas, two_replicas
from tests.bench.report import write_document

_ROOT = Path(__file__).parents[3]
DOCUMENT = Path("docs/affinity.md")


@dataclass(frozen=True, slots=True)
class Measured:
    name: str
    counters: list[Counters]
    run: Run
    took_s: float


@click.command()
@click.option("--write", is_flag=True, help=f"Put the table into {DOCUMENT}.")
@click.option("--only", help="Measure the policies whose names hold this text.")
def main(write: bool, only: str | None) -> None:
    """Two vLLM servers, agents whose conversations grow, one policy after the other on empty caches."""
    os.chdir(_ROOT)
    installed = subprocess.run(["deploy/bench-peers/install.sh"], stdout=subprocess.PIPE, text=True, check=False)
    if installed.returncode != 0:
        raise SystemExit(installed.returncode)
    chosen = [policy for policy in policies(Path(installed.stdout.strip())) if (only or "") in policy.name]
    began, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with two_replicas(folder) as replicas:
            click.echo(f"{time.monotonic() - began:.0f} s: both servers are ready", err=True)
            asyncio.run(_warm_up(replicas))
            measured = [_measure(policy, replicas, folder) for policy in chosen]
    table = report(measured, load)
    click.echo(table)
    if write:
        write_document(table, DOCUMENT)
    click.echo(f"{time.monotonic() - began:.0f} s", err=True)


async def _warm_up(replicas: Replicas) -> None:
    """A server's first requests are slower than any later one."""
    for url in replicas.urls:
        await work(url, MODEL, sessions=False, agents=2, turns=1)


def _measure(policy: Policy, replicas: Replicas, folder: Path) -> Measured:
    place = Path(tempfile.mkdtemp(dir=folder))
    started = policy.start(place, replicas.urls)
    with started.process:
        _wait_for(started)
        replicas.reset()
        before, began = replicas.counters(), time.monotonic()
        run = asyncio.run(work(started.base_url, MODEL, sessions=policy.sessions))
        took_s = time.monotonic() - began
        counters = [after.since(start) for after, start in zip(replicas.counters(), before, strict=True)]
    measured = Measured(policy.name, counters, run, took_s)
    click.echo(_row(measured), err=True)
    return measured


def _wait_for(started: Started) -> None:
    try:
        wait_until_ready(started.process, started.base_url + started.ready_path, timeout_s=120)
    except ServerFailed as error:
        raise click.ClickException("\n".join((str(error), *error.lines))) from error


def report(measured: list[Measured], load: float) -> str:
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        f"Measured {when} on {os.cpu_count()} CPUs shared by everything (load before: {load:.1f}): two vLLM servers "
        f"with {MODEL}, a CPU and a cache of {CACHE_TOKENS:,} tokens each; {AGENTS} agents at once, {TURNS} turns "
        "each. `python -m tests.bench.affinity --write`",
        "",
        "| policy | found in the prefix cache | prompt tokens computed | TTFT p50 | p90 | tokens by server | took |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *map(_row, measured),
    ]
    return "\n".join(lines) + "\n"


def _row(measured: Measured) -> str:
    queries = sum(counters.queries for counters in measured.counters)
    hits = sum(counters.hits for counters in measured.counters)
    tenths = quantiles(measured.run.first_s, n=10, method="inclusive")
    shares = " : ".join(f"{counters.queries / queries:.0%}" for counters in measured.counters)
    failed = f" ({len(measured.run.failures)} failed)" if measured.run.failures else ""
    return (
        f"| {measured.name}{failed} | {hits / queries:.1%} | {queries - hits:,.0f} of {queries:,.0f} "
        f"| {tenths[4]:.2f} s | {tenths[8]:.2f} s | {shares} | {measured.took_s:.0f} s |"
    )


if __name__ == "__main__":
    main()
