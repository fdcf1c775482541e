"""`make bench-judge`: our judge beside `evalplus.evaluate` on the same recorded answers, in one run and one table."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from tests.bench.judging.judges import Judged, System, Work, evalplus, weighbridge, work
from tests.bench.judging.tables import GOALS, Origin, report
from tests.bench.report import write_document
from tests.fixtures.shared_data import SHARED_DATA

_ROOT = Path(__file__).parents[3]
_SUITE = SHARED_DATA / "suites/evalplus/HumanEvalPlus-v0.1.9.jsonl.gz"
_SAMPLES = SHARED_DATA / "recorded/qwen2.5-coder-1.5b/humaneval-samples.jsonl.gz"
_DOCUMENT = Path("docs/judging.md")


@click.command()
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Each judge, cold and warm.")
@click.option("--only-ours", is_flag=True, help="Without EvalPlus.")
@click.option("--tasks", type=click.IntRange(1), help="Only the first so many tasks: does it run?")
@click.option("--write", is_flag=True, help=f"Put the table into {_DOCUMENT}.")
def main(rounds: int, only_ours: bool, tasks: int | None, write: bool) -> None:
    """Measures how long EvalPlus and Weighbridge take for HumanEval+, with and without an oracle on the disk.

    Prints a table in Markdown. Goals are shown as met or not, and never end the run with an error.
    """
    os.chdir(_ROOT)
    missing = [path for path in (_SUITE, _SAMPLES) if not path.exists()]
    if missing:
        raise click.ClickException(f"needs the recorded answers beside the checkout: {missing[0]} is not there")
    origin = Origin(_command(sys.argv[1:]), os.getloadavg()[0])
    systems = [weighbridge()] if only_ours else [evalplus(_home()), weighbridge()]
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-") as name:
        tables = report(_measured(systems, work(_SUITE, _SAMPLES, tasks, Path(name)), rounds, Path(name)), origin)
    click.echo(tables)
    if write:
        write_document(tables, _DOCUMENT)
        _say(f"written to {_DOCUMENT}")


def _command(options: list[str]) -> str:
    return "make bench-judge" if options == ["--write"] else " ".join(["python -m tests.bench.judging", *options])


def _home() -> Path:
    installed = subprocess.run(["deploy/bench-judge/install.sh"], stdout=subprocess.PIPE, text=True, check=False)
    if installed.returncode != 0:
        raise SystemExit(installed.returncode)
    return Path(installed.stdout.strip())


def _measured(systems: list[System], work: Work, rounds: int, folder: Path) -> dict[str, dict[str, list[Judged]]]:
    """By turns: cold against cold, then warm against warm with the oracles that the cold runs made."""
    found: dict[str, dict[str, list[Judged]]] = {system.name: {state: [] for state in GOALS} for system in systems}
    for number in range(1, rounds + 1):
        for state in GOALS:
            for index, system in enumerate(systems):
                cache = folder / f"cache-{number}-{index}"
                cache.mkdir(exist_ok=True)
                _say(f"round {number} of {rounds}, {state} oracle: {system.name} ...")
                began = time.monotonic()
                found[system.name][state].append(system.judge(work, cache))
                _say(f"  ({time.monotonic() - began:.0f} s)")
    return found


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
