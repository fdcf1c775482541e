"""Fits by torch, in a process of its own: ``python torch_fit.py < problem.json > fitted.json``.

It needs torch and nothing else, so that any interpreter that has torch can run it. ``fitting.py`` says what goes in and
comes out. The model is a logistic regression on a prompt's features with, for each route, the weights that all routes
share plus its own, both shrunk (T. Hastie, R. Tibshirani, J. Friedman, "The Elements of Statistical Learning", 2nd ed.,
section 18.4): a task that is hard is hard for every model, and there are few tasks.
"""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch  # type: ignore[import-not-found]
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy  # type: ignore[import-not-found]

Tensor = Any
_SHRINKAGES = (3.0, 1.0, 0.3, 0.1, 0.03)
_INNER_FOLDS = 3
_OWN = 2.0
"""How much more a route's own weights are shrunk than those that all share."""


@dataclass(frozen=True)
class Rows:
    """Tasks: ``numbers`` (n, k), ``buckets`` (n, b) with 0 or 1 / root of the row's count, ``solved`` (n, r)."""

    numbers: Tensor
    buckets: Tensor
    solved: Tensor
    groups: list[int]

    def of(self, index: Sequence[int]) -> "Rows":
        at = torch.tensor(index, dtype=torch.long)
        return Rows(self.numbers[at], self.buckets[at], self.solved[at], [self.groups[i] for i in index])


@dataclass(frozen=True)
class Fitted:
    """``weights`` (r, k + b) and ``bias`` (r), calibrated: ``slope`` and ``offset`` (r) are in them."""

    mean: Tensor
    deviation: Tensor
    weights: Tensor
    bias: Tensor
    shrinkage: float
    slope: Tensor
    offset: Tensor


def main() -> None:
    torch.set_num_threads(1)  # sums come out the same, however many cores there are
    torch.use_deterministic_algorithms(True)
    problem = json.load(sys.stdin)
    rows = _rows(problem)
    limit, seed = problem["most_deviations"], problem["seed"]
    predicted = torch.zeros_like(rows.solved)
    for train, test in _folds(rows.groups, problem["folds"], seed):
        fitted = fit(rows.of(train), limit, seed)
        predicted[torch.tensor(test)] = _chances(fitted, rows.of(test), limit)
    final = fit(rows, limit, seed)
    counted = rows.numbers.shape[1]
    json.dump(
        {
            "predicted": predicted.tolist(),
            "fitted": _chances(final, rows, limit).tolist(),
            "mean": final.mean.tolist(),
            "deviation": final.deviation.tolist(),
            "bias": final.bias.tolist(),
            "numbers": final.weights[:, :counted].tolist(),
            "buckets": final.weights[:, counted:].tolist(),
            "shrinkage": final.shrinkage,
            "slope": final.slope.tolist(),
            "offset": final.offset.tolist(),
            "torch": torch.__version__,
        },
        sys.stdout,
    )


def fit(rows: Rows, limit: float, seed: int) -> Fitted:
    """How much to shrink, and the calibration, are chosen on folds that the weights they judge have not seen."""
    mean, deviation = rows.numbers.mean(0), rows.numbers.std(0, correction=0)
    deviation = torch.where(deviation < 1e-9, torch.zeros_like(deviation), deviation)
    x = _inputs(rows, mean, deviation, limit)
    folds = _folds(rows.groups, _INNER_FOLDS, seed + 1)
    unseen = {shrinkage: _unseen_logits(x, rows.solved, folds, shrinkage) for shrinkage in _SHRINKAGES}
    shrinkage = min(_SHRINKAGES, key=lambda each: float(cross_entropy(unseen[each], rows.solved)))
    slope, offset = _calibration(unseen[shrinkage], rows.solved)
    weights, bias = _regression(x, rows.solved, shrinkage)
    return Fitted(mean, deviation, slope[:, None] * weights, slope * bias + offset, shrinkage, slope, offset)


def _rows(problem: dict[str, Any]) -> Rows:
    numbers = torch.tensor(problem["numbers"], dtype=torch.float64)
    buckets = torch.zeros((len(problem["buckets"]), problem["dimensions"]), dtype=torch.float64)
    for row, present in enumerate(problem["buckets"]):
        if present:
            buckets[row, torch.tensor(present)] = len(present) ** -0.5
    solved = torch.tensor(problem["solved"], dtype=torch.float64)
    return Rows(numbers, buckets, solved, problem["groups"])


def _inputs(rows: Rows, mean: Tensor, deviation: Tensor, limit: float) -> Tensor:
    scaled = torch.where(deviation > 0, (rows.numbers - mean) / deviation, 0.0)
    return torch.cat([scaled.clamp(-limit, limit), rows.buckets], dim=1)


def _folds(groups: Sequence[int], count: int, seed: int) -> list[tuple[list[int], list[int]]]:
    """Train and test rows; a group is never on both sides."""
    order = sorted(set(groups))
    random.Random(seed).shuffle(order)  # noqa: S311
    fold = {group: place % count for place, group in enumerate(order)}
    rows = range(len(groups))
    return [
        ([i for i in rows if fold[groups[i]] != each], [i for i in rows if fold[groups[i]] == each])
        for each in range(min(count, len(order)))
    ]


def _unseen_logits(x: Tensor, solved: Tensor, folds: list[tuple[list[int], list[int]]], shrinkage: float) -> Tensor:
    logits = torch.zeros_like(solved)
    for train, test in folds:
        at = torch.tensor(train)
        weights, bias = _regression(x[at], solved[at], shrinkage)
        logits[torch.tensor(test)] = x[torch.tensor(test)] @ weights.T + bias
    return logits


def _regression(x: Tensor, solved: Tensor, shrinkage: float) -> tuple[Tensor, Tensor]:
    routes = solved.shape[1]
    shared = torch.zeros(x.shape[1], dtype=x.dtype, requires_grad=True)
    own = torch.zeros((routes, x.shape[1]), dtype=x.dtype, requires_grad=True)
    bias = torch.logit(solved.mean(0).clamp(0.01, 0.99)).requires_grad_()

    def loss() -> Tensor:
        shrunk = (shared**2).sum() + _OWN * (own**2).sum() / routes
        return cross_entropy(x @ (shared + own).T + bias, solved) + shrinkage * shrunk / 10

    _minimise([shared, own, bias], loss)
    return (shared + own).detach(), bias.detach()


def _calibration(logits: Tensor, solved: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and offset of each route's logits. Source: J. Platt, "Probabilistic outputs for support vector machines",
    Advances in Large Margin Classifiers (1999). A slope below 0 would be worse than no knowledge: then it is 0.
    """
    slope = torch.ones(solved.shape[1], dtype=logits.dtype, requires_grad=True)
    offset = torch.zeros(solved.shape[1], dtype=logits.dtype, requires_grad=True)
    _minimise([slope, offset], lambda: cross_entropy(slope * logits + offset, solved))
    useless = slope.detach() <= 0
    base = torch.logit(solved.mean(0).clamp(0.01, 0.99))
    found = torch.where(useless, torch.zeros_like(base), slope.detach())
    return found, torch.where(useless, base, offset.detach())


def _minimise(parameters: list[Tensor], loss: Any) -> None:
    steps = torch.optim.LBFGS(parameters, max_iter=200, tolerance_grad=1e-7, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        steps.zero_grad()
        value = loss()
        value.backward()
        return value

    steps.step(closure)


def _chances(fitted: Fitted, rows: Rows, limit: float) -> Tensor:
    x = _inputs(rows, fitted.mean, fitted.deviation, limit)
    return torch.sigmoid(x @ fitted.weights.T + fitted.bias)


if __name__ == "__main__":
    main()
