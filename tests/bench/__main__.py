"""`make bench`: CPU, latency and memory of the gateway beside its peers, in one run and one table."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import uvloop

from tests.bench.process import OTHER_CPUS, ends_with_us
from tests.bench.report import DOCUMENT, Rounds, report, write_document
from tests.bench.rounds import FULL, QUICK, Amounts, measure
from tests.bench.systems import System, litellm, nginx, vllm_router, weighbridge

_ROOT = Path(__file__).parents[2]
_NAMES = ("nginx", "vllm-router", "weighbridge", "litellm")


@click.command()
@click.option("--quick", is_flag=True, help="One short round: does it run?")
@click.option("--only", type=click.Choice(_NAMES), multiple=True, help="Measure only these; give it once for each.")
@click.option("--chat-only", is_flag=True, help="Leave the gateway's other wires and the long histories out.")
@click.option("--write", is_flag=True, help=f"Put the tables into {DOCUMENT}.")
@click.option("--rounds", type=click.IntRange(1), help=f"Rounds, {FULL.rounds} where not given.")
def main(quick: bool, only: tuple[str, ...], chat_only: bool, write: bool, rounds: int | None) -> None:
    """Measures the gateway with everything on, beside nginx, vllm-router and LiteLLM's proxy.

    Prints tables in Markdown; budgets are shown as met or not, and never end the run with an error.
    """
    os.chdir(_ROOT)
    began, load = time.monotonic(), os.getloadavg()[0]
    systems = _systems(only or _NAMES, chat_only)
    amounts = QUICK if quick else FULL
    os.sched_setaffinity(0, OTHER_CPUS)
    with _model_server() as port:
        figures = uvloop.run(_measure_all(systems, port, amounts, rounds or amounts.rounds))
    options = sys.argv[1:]
    command = "make bench" if options == ["--write"] else " ".join(["python -m tests.bench", *options])
    tables = report(figures, systems, load, command)
    click.echo(tables)
    if write:
        write_document(tables)
    _say(f"{time.monotonic() - began:.0f} s" + (f"; written to {DOCUMENT}" if write else ""))


def _systems(names: tuple[str, ...], chat_only: bool) -> list[System]:
    home = Path()
    if set(names) != {"weighbridge"}:
        installed = subprocess.run(["deploy/bench-peers/install.sh"], stdout=subprocess.PIPE, text=True, check=False)
        if installed.returncode != 0:
            raise SystemExit(installed.returncode)
        home = Path(installed.stdout.strip())
    known = {
        "nginx": nginx,
        "vllm-router": vllm_router,
        "weighbridge": lambda _: weighbridge(every_wire=not chat_only),
        "litellm": litellm,
    }
    return [known[name](home) for name in _NAMES if name in names]


@contextmanager
def _model_server() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.bench.model_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=ends_with_us()) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def _measure_all(systems: list[System], port: int, amounts: Amounts, count: int) -> Rounds:
    """By turns in rounds, so that what else the machine does falls on all of them."""
    found: Rounds = {}
    for number in range(1, count + 1):
        for system in systems:
            _say(f"round {number} of {count}: {system.name} ...")
            began = time.monotonic()
            for row, figures in (await measure(system, port, amounts)).items():
                found.setdefault(row, []).append(figures)
                _say(f"  {row}: {figures.request_us:,.0f} us a request, {figures.busy_chunk_us:,.1f} us a chunk")
            _say(f"  ({time.monotonic() - began:.0f} s)")
    return found


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
