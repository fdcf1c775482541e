"""`weighbridge policy train`: from stored samples to a model that a policy can route by."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import click
import msgspec

from backends.backend import Call
from backends.price import nano
from evaluator.compare_runs import Unfinished
from evaluator.learning.evaluation import evaluate
from evaluator.learning.examples import NothingToLearn, read_examples
from evaluator.learning.fitting import FittingFailed, NoTorch, Settings, train
from evaluator.replaying.prompt import question
from evaluator.replaying.wires import CHAT, Sampling
from evaluator.store.journal import DamagedJournal
from evaluator.store.run_folder import RunBusy
from evaluator.suites import load_suite
from evaluator.suites.suite import SuiteError, Task
from gateway.cli.compare_sides import replays
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.policy_train_text import as_json, as_text
from gateway.routing.opening import prompt_of
from policies.features import Features
from policies.learned_model import MOST_BYTES, encode
from policies.request import RequestTraits


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    default=("builtin",),
    show_default=True,
    metavar="SUITE",
    help="What the runs asked, for its prompts; may be given several times.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default="learned.json", show_default=True, metavar="FILE"
)
@click.option(
    "--solved-usd",
    type=click.FLOAT,
    metavar="USD",
    help="What a solved request is worth. If not given: what each further one costs at the route that solves most.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the folds.")
@click.option("--folds", type=click.IntRange(2, 20), default=5, show_default=True, help="Parts held out in turn.")
@click.option(
    "--python",
    default=lambda: os.environ.get("WEIGHBRIDGE_TORCH_PYTHON") or sys.executable,
    metavar="PATH",
    help="An interpreter that has torch; WEIGHBRIDGE_TORCH_PYTHON, or else this one.",
)
@click.option("--json", "as_object", is_flag=True, help="Print the evaluation as one JSON object.")
def train_command(
    runs: tuple[str, ...],
    suites: tuple[str, ...],
    out: Path,
    solved_usd: float | None,
    seed: int,
    folds: int,
    python: str,
    as_object: bool,
) -> None:
    """Fit which route solves which prompt, from finished replays of two routes or more on the same tasks.

    RUN is a run's id or its folder. FILE gets weights without prompts, and what was predicted of every task by a model
    that had not seen it; a policy with `learned: FILE` routes by it. Exit code 1 where that does not beat sending every
    request to one route: then no gateway loads FILE.

    \b
      weighbridge policy train RUN_SMALL RUN_LARGE
      weighbridge policy train RUN_SMALL RUN_LARGE --suite HumanEvalPlus.jsonl.gz --solved-usd 0.01
    """
    if solved_usd is not None and not 0 < solved_usd <= 1_000_000:
        raise ConfigFailure(f"--solved-usd {solved_usd:g}: write what a solved request is worth, above 0")
    worth = None if solved_usd is None else max(1, nano(Decimal(str(solved_usd))))
    with _failures():
        examples = read_examples([_folder(run) for run in runs], [load_suite(name) for name in suites])
        file = train(examples, as_served, Settings(python, seed, folds, worth))
    data = encode(file)
    if len(data) > MOST_BYTES:
        raise Failure(
            f"{len(file.held_out):,} tasks make a model larger than {MOST_BYTES // 2**20} MiB: use fewer runs"
        )
    try:
        out.write_bytes(data)
    except OSError as error:
        raise ConfigFailure(f"cannot write {out}: {error.strerror}") from error
    found = evaluate(file)
    click.echo(json.dumps(as_json(found, file, out), indent=2) if as_object else as_text(found, file, out))
    if found.refusal is not None:
        raise Failure(f"no gateway will load {out}: {found.refusal}")


def as_served(task: Task) -> Features | None:
    """As a gateway reads the request that a replay sends."""
    body = CHAT.body("", question(task.language, task.prompt), Sampling())
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in body.items()}
    return prompt_of(Call("chat", fields, stream=True), RequestTraits()).features


def _folder(run: str) -> Path:
    found = next((path for path in (Path(run), replays() / run) if (path / "manifest.json").is_file()), None)
    if found is None:
        raise ConfigFailure(f"{run} is no run: name its id or its folder; `ls {replays()}` lists those that are here")
    return found


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (NothingToLearn, SuiteError) as error:
        raise ConfigFailure(str(error)) from error
    except NoTorch as error:
        advice = "pip install weighbridge[learned], or name an interpreter that has it with --python"
        raise MissingFailure(f"fitting needs torch, and {error}: {advice}") from error
    except Unfinished as error:
        raise MissingFailure(str(error)) from error
    except (FittingFailed, RunBusy, DamagedJournal) as error:
        raise Failure(str(error)) from error
