"""``python -m tests.bench.learned --write``: what learned routing is worth on recorded answers, on unseen tasks.

Prices are 1 to 5, as in docs/verify.md. The last rows are synthetic: prompts that tell how hard they are, and the
same tasks with prompts that do not, to show that the procedure finds what there is, and nothing where there is nothing.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from evaluator.figures import share
from evaluator.learning.evaluation import Evaluation, evaluate
from evaluator.learning.examples import Example, Examples, LearnedRoute, read_examples
from evaluator.learning.fitting import Settings, train
from evaluator.suites import load_suite
from gateway.cli.policy_train import as_served
from gateway.cli.policy_train_text import as_text
from policies.learned_model import ModelFile
from tests.bench.report import write_document
from tests.bench.verify.recordings import Model, qwen, smollm
from tests.fixtures.learnable import learnable
from tests.fixtures.recorded_pair import SUITE
from tests.fixtures.shared_data import SHARED_DATA

DOCUMENT = Path(__file__).parents[2] / "docs" / "learned.md"
_NANOUSD_A_TOKEN = (1_000, 5_000)
_SEEDS = (0, 1, 2)
_HEAD = "| tasks | seed | always cheap | always best | random, same cost | learned | oracle | gain over both | |"


@dataclass(frozen=True, slots=True)
class Case:
    title: str
    examples: Examples


@click.command()
@click.option("--write", is_flag=True, help=f"Put the tables into docs/{DOCUMENT.name}.")
@click.option("--python", envvar="WEIGHBRIDGE_TORCH_PYTHON", required=True, help="An interpreter that has torch.")
def main(write: bool, python: str) -> None:
    """Trains on each pair with several seeds, and prints what would come of it on unseen tasks."""
    if not SHARED_DATA.exists():
        raise click.ClickException(f"needs the recorded answers beside the checkout: {SHARED_DATA} is not there")
    text = tables(python)
    click.echo(text)
    if write:
        write_document(text, DOCUMENT)


def tables(python: str) -> str:
    rows = [_HEAD, "|---|--:|--:|--:|--:|--:|--:|--:|---|"]
    shown = ""
    with tempfile.TemporaryDirectory() as folder:
        for case in (*recorded_cases(), *synthetic_cases(Path(folder))):
            for seed in _SEEDS:
                file = train(case.examples, as_served, Settings(python, seed, 5, None))
                found = evaluate(file)
                shown = shown or _shown(found, file)
                rows.append(_row(case.title, seed, found))
                click.echo(rows[-1], err=True)
    return "Made by `python -m tests.bench.learned --write`.\n\n" + "\n".join(rows) + "\n\n" + shown


def recorded_cases() -> list[Case]:
    pair = qwen()
    return [
        Case("1.5B and 7B, HumanEval+", recorded_examples([pair.small, pair.large], plus=True)),
        Case("1.5B and 7B, HumanEval", recorded_examples([pair.small, pair.large], plus=False)),
        Case("135M and 7B, HumanEval", recorded_examples([smollm().small, pair.large], plus=False)),
    ]


def synthetic_cases(folder: Path) -> list[Case]:
    cases = []
    for name, told in (("prompts tell", True), ("prompts do not tell", False)):
        (folder / name).mkdir()
        made = learnable(folder / name, 240, told=told)
        cases.append(Case(f"synthetic, {name}", read_examples([made.small, made.large], [load_suite(str(made.suite))])))
    return cases


def recorded_examples(models: Sequence[Model], *, plus: bool) -> Examples:
    rows = []
    suite = load_suite(str(SHARED_DATA / SUITE))
    for task in suite.tasks:
        answers = [model.answers[task.task_id] for model in models]
        solved = tuple(float(answer.plus if plus else answer.base) for answer in answers)
        costs = tuple(answer.tokens * price for answer, price in zip(answers, _NANOUSD_A_TOKEN, strict=True))
        rows.append(Example(task, task.task_id, solved, costs))
    names = tuple(model.name for model in models)
    return Examples(tuple(LearnedRoute(name, "recorded") for name in names), tuple(rows), 0, names, (suite.name,))


def _row(title: str, seed: int, found: Evaluation) -> str:
    points = {point.name: point.solved for point in found.points}
    cheap, best = (found.points[index].solved for index in (0, 1))
    figures = (cheap, best, points["random, same cost"], points["learned"], points["oracle"])
    gain = min(margin.gain for margin in found.margins)
    verdict = "loads" if found.refusal is None else "refused"
    return f"| {title} | {seed} | {' | '.join(map(share, figures))} | {gain:+.3f} | {verdict} |"


def _shown(found: Evaluation, file: ModelFile) -> str:
    return (
        f"The first of these as `policy train` prints it:\n\n```\n{as_text(found, file, Path('learned.json'))}\n```\n"
    )


if __name__ == "__main__":
    os.chdir(DOCUMENT.parents[1])
    main()
