"""From examples to a model's file: torch fits in a process of its own, and what comes back is checked."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum
from pathlib import Path

import msgspec

from evaluator.learning.examples import Example, Examples, NothingToLearn
from evaluator.suites.suite import Task
from policies.features import BUCKETS, Features
from policies.features import VERSION as FEATURES
from policies.learned import LearnedModel
from policies.learned_model import MOST_DEVIATIONS, SCHEMA, FittedRoute, HeldOut, ModelFile, Scale

SCRIPT = Path(__file__).with_name("torch_fit.py")
LEAST_PROBLEMS = 40
"""Fewer teach nothing: a fold of them has hardly one of each kind."""
_AGREES = 1e-6
_NO_TORCH = "No module named 'torch'"


class NoTorch(Exception):
    """The interpreter that was to fit has no torch, or is none."""


class FittingFailed(Exception):
    """Torch was there, and gave no model; the message is the end of what it said."""


@dataclass(frozen=True, slots=True)
class Settings:
    python: str
    """An interpreter that has torch."""
    seed: int
    folds: int
    worth_nanousd: int | None
    """What a solved request is worth; None: so much that always-cheap and always-best are worth the same."""


class _Result(msgspec.Struct):
    """What ``torch_fit.py`` writes. Lists are a route each; ``predicted`` and ``fitted`` a task each, then a route."""

    predicted: list[list[float]]
    fitted: list[list[float]]
    mean: list[float]
    deviation: list[float]
    bias: list[float]
    numbers: list[list[float]]
    buckets: list[list[float]]
    shrinkage: float
    slope: list[float]
    offset: list[float]
    torch: str


def train(examples: Examples, features_of: Callable[[Task], Features | None], settings: Settings) -> ModelFile:
    """``features_of`` reads a task as a gateway would read the request that asks it; None: it would not.

    Raises NothingToLearn, NoTorch and FittingFailed.
    """
    read = [(row, found) for row in examples.rows if (found := features_of(row.task)) is not None]
    rows, prompts = [row for row, _ in read], [found for _, found in read]
    if len({row.problem for row in rows}) < LEAST_PROBLEMS:
        raise NothingToLearn(
            f"{len(rows)} tasks were scored on every route: at least {LEAST_PROBLEMS} source problems are needed"
        )
    worth = break_even(rows) if settings.worth_nanousd is None else settings.worth_nanousd
    result = _fitted(rows, prompts, settings)
    file = _file(examples, rows, result, worth, settings)
    _check_agreement(file, prompts, result.fitted)
    return file


def break_even(rows: Sequence[Example]) -> int:
    """What each further solved task costs who always asks the route that solves most, and not the cheapest one.

    There random mixtures of the two are all worth the same, and knowing a prompt is worth most.
    """
    columns = range(len(rows[0].solved))
    solved = [fsum(row.solved[index] for row in rows) / len(rows) for index in columns]
    costs = [fsum(row.cost_nanousd[index] for row in rows) / len(rows) for index in columns]
    cheap = min(columns, key=lambda index: (costs[index], -solved[index]))
    most = max(columns, key=lambda index: (solved[index], -costs[index]))
    if solved[most] <= solved[cheap] or costs[most] <= costs[cheap]:
        raise NothingToLearn(
            "the cheapest route also solves the most tasks, so that no trade-off says what one is worth:"
            " say it with --solved-usd"
        )
    return round((costs[most] - costs[cheap]) / (solved[most] - solved[cheap])) or 1


def _fitted(rows: Sequence[Example], prompts: Sequence[Features], settings: Settings) -> _Result:
    numbers = {problem: number for number, problem in enumerate(dict.fromkeys(row.problem for row in rows))}
    problem = {
        "seed": settings.seed,
        "folds": settings.folds,
        "most_deviations": MOST_DEVIATIONS,
        "dimensions": BUCKETS,
        "numbers": [prompt.numbers for prompt in prompts],
        "buckets": [prompt.buckets for prompt in prompts],
        "solved": [row.solved for row in rows],
        "groups": [numbers[row.problem] for row in rows],
    }
    try:
        done = subprocess.run(
            [settings.python, SCRIPT], input=msgspec.json.encode(problem), capture_output=True, check=False
        )
    except OSError as error:
        raise NoTorch(f"{settings.python}: {error.strerror}") from error
    said = done.stderr.decode(errors="replace")
    if done.returncode and _NO_TORCH in said:
        raise NoTorch(f"{settings.python} has no torch")
    if done.returncode:
        raise FittingFailed(f"fitting failed in {settings.python}: {said.strip()[-500:]}")
    return msgspec.json.decode(done.stdout, type=_Result)


def _file(
    examples: Examples, rows: Sequence[Example], result: _Result, worth_nanousd: int, settings: Settings
) -> ModelFile:
    costs = [round(fsum(row.cost_nanousd[index] for row in rows) / len(rows)) for index in range(len(examples.routes))]
    weights = zip(examples.routes, costs, result.bias, result.numbers, result.buckets, strict=True)
    rounded = zip(rows, result.predicted, strict=True)
    return ModelFile(
        schema=SCHEMA,
        features=FEATURES,
        worth_nanousd=worth_nanousd,
        languages=sorted({row.task.language for row in rows}),
        routes=[FittedRoute(at.route, at.revision, cost, b, n, w) for at, cost, b, n, w in weights],
        scale=Scale(result.mean, result.deviation),
        held_out=[
            HeldOut(row.task.task_id, row.problem, [round(p, 6) for p in predicted], [*row.solved], [*row.cost_nanousd])
            for row, predicted in rounded
        ],
        manifest={
            "runs": list(examples.runs),
            "suites": list(examples.suites),
            "tasks": len(rows),
            "left_out": examples.left_out,
            "seed": settings.seed,
            "folds": settings.folds,
            "shrinkage": result.shrinkage,
            "calibration": {"slope": result.slope, "offset": result.offset},
            "torch": result.torch,
        },
    )


def _check_agreement(file: ModelFile, prompts: Sequence[Features], fitted: Sequence[Sequence[float]]) -> None:
    """What will be served says of every task what torch said."""
    model = LearnedModel.of(file, file.worth_nanousd, "")
    worst = max(
        abs(served - expected)
        for prompt, row in zip(prompts, fitted, strict=True)
        for served, expected in zip(model.predict(prompt), row, strict=True)
    )
    if worst > _AGREES:
        raise FittingFailed(f"the exported weights say otherwise than torch, by {worst:.2g}: this is a defect")
