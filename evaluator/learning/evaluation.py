"""What a learned model is worth on unseen tasks, beside each route for all, random mixtures and the oracle.

Everything is computed from the model's file, as ``policies.learned_model.refusal`` is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum

from evaluator.statistics.bootstrap import interval
from policies.learned_model import CONFIDENCE, HeldOut, ModelFile, gains, picks, refusal

_MULTIPLES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_BINS = 10


@dataclass(frozen=True, slots=True)
class Point:
    """A way of routing: the share of tasks it solves, and its mean cost a task in nano-dollars."""

    name: str
    solved: float
    cost_nanousd: float
    worth: float
    """Solved, less its cost in shares of what a solved task is worth."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What the model does when a solved task is worth ``worth_nanousd``. ``mixture`` and ``oracle`` are what random
    mixtures of the routes, and one who knows what will be solved, solve at the same mean cost."""

    worth_nanousd: float
    shares: tuple[float, ...]
    """Of the tasks, a route each."""
    solved: float
    cost_nanousd: float
    mixture: float
    oracle: float


@dataclass(frozen=True, slots=True)
class Margin:
    """``interval`` is for showing, by drawing source problems; ``proven`` goes by the bound that loading asks for."""

    over: str
    gain: float
    interval: tuple[float, float] | None
    proven: bool


@dataclass(frozen=True, slots=True)
class Calibration:
    """``brier`` is the mean squared error, ``base`` that of always saying the route's mean; ``ece`` is the expected
    calibration error in ten bins of equally many tasks."""

    route: str
    brier: float
    base: float
    ece: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    worth_nanousd: int
    tasks: int
    problems: int
    points: tuple[Point, ...]
    """A route for all, each; then a random mixture, the model, and the oracle."""
    margins: tuple[Margin, ...]
    curve: tuple[CurvePoint, ...]
    calibration: tuple[Calibration, ...]
    refusal: str | None
    """None: a gateway loads it."""


def evaluate(file: ModelFile) -> Evaluation:
    worth = file.worth_nanousd
    static = _static(file)
    learned = _point("learned", file.held_out, picks(file, worth), worth)
    hull = _hull([(point.cost_nanousd, point.solved) for point in static])
    mixture = _at(hull, learned.cost_nanousd)
    points = (
        *static,
        Point("random, same cost", mixture, learned.cost_nanousd, mixture - learned.cost_nanousd / worth),
        learned,
        _point("oracle", file.held_out, _knowing(file, worth), worth),
    )
    return Evaluation(
        worth,
        len(file.held_out),
        len({row.problem for row in file.held_out}),
        points,
        _margins(file),
        tuple(_curve(file, hull, worth * multiple) for multiple in _MULTIPLES),
        tuple(_calibration(file, index) for index in range(len(file.routes))),
        refusal(file, worth),
    )


def _static(file: ModelFile) -> list[Point]:
    rows, worth = file.held_out, file.worth_nanousd
    found = [
        _point(f"always {route.route}", rows, [index] * len(rows), worth) for index, route in enumerate(file.routes)
    ]
    return sorted(found, key=lambda point: point.cost_nanousd)


def _point(name: str, rows: Sequence[HeldOut], picked: Sequence[int], worth: float) -> Point:
    solved = fsum(row.solved[pick] for row, pick in zip(rows, picked, strict=True)) / len(rows)
    cost = fsum(row.cost_nanousd[pick] for row, pick in zip(rows, picked, strict=True)) / len(rows)
    return Point(name, solved, cost, solved - cost / worth)


def _knowing(file: ModelFile, worth: float) -> list[int]:
    """For each task the route that turned out to be worth most."""
    routes = range(len(file.routes))
    return [max(routes, key=lambda i: row.solved[i] - row.cost_nanousd[i] / worth) for row in file.held_out]


def _margins(file: ModelFile) -> tuple[Margin, ...]:
    picked = picks(file, file.worth_nanousd)
    found = []
    for index, gain in enumerate(gains(file, file.worth_nanousd)):
        problems: dict[str, list[float]] = {}
        for row, pick in zip(file.held_out, picked, strict=True):
            cost = row.cost_nanousd[pick] - row.cost_nanousd[index]
            difference = row.solved[pick] - row.solved[index] - cost / file.worth_nanousd
            problems.setdefault(row.problem, []).append(difference)
        clusters = [(round(fsum(each), 9), len(each)) for each in problems.values()]
        found.append(Margin(gain.over, gain.mean, interval(clusters, CONFIDENCE), gain.proven))
    return tuple(found)


def _curve(file: ModelFile, hull: Sequence[tuple[float, float]], worth: float) -> CurvePoint:
    picked = picks(file, worth)
    at = _point("", file.held_out, picked, worth)
    shares = tuple(picked.count(index) / len(picked) for index in range(len(file.routes)))
    mixture = _at(hull, at.cost_nanousd)
    return CurvePoint(worth, shares, at.solved, at.cost_nanousd, mixture, _at(_oracle(file), at.cost_nanousd))


def _oracle(file: ModelFile) -> list[tuple[float, float]]:
    """Cost and solved of one who knows, from asking nobody dear to asking whoever solves it."""
    cheapest = min(route.cost_nanousd for route in file.routes)
    worths = [cheapest * 2.0**power for power in range(-4, 24)] if cheapest else [2.0**power for power in range(40)]
    points = [_point("", file.held_out, _knowing(file, worth), worth) for worth in worths]
    return _hull([(point.cost_nanousd, point.solved) for point in points])


def _hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The upper convex hull from the cheapest point to the one that solves most: what mixtures of them can reach."""
    hull: list[tuple[float, float]] = []
    for point in sorted(set(points)):
        if hull and point[1] <= hull[-1][1]:
            continue
        while hull and hull[-1][0] == point[0]:
            hull.pop()
        while len(hull) > 1 and _slope(hull[-2], hull[-1]) <= _slope(hull[-1], point):
            hull.pop()
        hull.append(point)
    return hull


def _slope(one: tuple[float, float], other: tuple[float, float]) -> float:
    return (other[1] - one[1]) / (other[0] - one[0])


def _at(hull: Sequence[tuple[float, float]], cost: float) -> float:
    """The height of the hull at ``cost``: its ends' beyond them."""
    if cost <= hull[0][0]:
        return hull[0][1]
    for one, other in pairwise(hull):
        if cost <= other[0]:
            return one[1] + _slope(one, other) * (cost - one[0])
    return hull[-1][1]


def _calibration(file: ModelFile, index: int) -> Calibration:
    told = ((row.predicted[index], row.solved[index]) for row in file.held_out)
    pairs = sorted(told, key=lambda pair: pair[0])  # of equal chances not by what came of them
    n = len(pairs)
    base = fsum(solved for _, solved in pairs) / n
    bins = [pairs[n * place // _BINS : n * (place + 1) // _BINS] for place in range(_BINS)]
    gaps = [abs(fsum(chance - solved for chance, solved in each)) for each in bins]
    return Calibration(
        file.routes[index].route,
        fsum((chance - solved) ** 2 for chance, solved in pairs) / n,
        fsum((base - solved) ** 2 for _, solved in pairs) / n,
        fsum(gaps) / n,
    )
