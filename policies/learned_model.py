"""A learned model as a file: weights, and what its procedure predicted of tasks that it had not seen.

No prompt is in it. Whether it beats routing without it can be computed from the file, and is, whenever one is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isfinite
from typing import Annotated, Any

import msgspec

from policies.bounds import betting_refutes
from policies.features import BUCKETS, NUMBERS
from policies.features import VERSION as FEATURES

SCHEMA = 1
MOST_BYTES = 16 * 1024 * 1024
CONFIDENCE = 0.95
MOST_DEVIATIONS = 3.0
"""Numbers count as no further from those that it was fitted on: a prompt unlike all of them must not decide alone."""

_NanoUsd = Annotated[int, msgspec.Meta(ge=0)]


class InvalidModel(ValueError):
    """The message says why the file cannot be used."""


class FittedRoute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calibrated: the logistic function of ``bias`` plus the weighted features is the chance that it solves a task."""

    route: str
    revision: str
    cost_nanousd: _NanoUsd
    """Mean of a task."""
    bias: float
    numbers: list[float]
    """One weight for each of ``NUMBERS``, in deviations from their mean."""
    buckets: list[float]
    """One weight for each bucket of words; a prompt's are added and divided by the root of their number."""


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of ``NUMBERS``, over the tasks that it was fitted on. A deviation of 0: the number never varied."""

    mean: list[float]
    deviation: list[float]


class HeldOut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """One task as those predicted it who had seen neither it nor its source problem in other languages.

    Lists are in the order of the file's routes; ``solved`` is the share of its samples that passed.
    """

    task_id: str
    problem: str
    predicted: list[Annotated[float, msgspec.Meta(ge=0, le=1)]]
    solved: list[Annotated[float, msgspec.Meta(ge=0, le=1)]]
    cost_nanousd: list[_NanoUsd]


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: int
    features: int
    worth_nanousd: Annotated[int, msgspec.Meta(gt=0)]
    """What a solved request is worth: routes are weighed by the chance of it times this, less what they cost."""
    languages: list[str]
    """Of the tasks that it was fitted on."""
    routes: Annotated[list[FittedRoute], msgspec.Meta(min_length=2, max_length=8)]
    scale: Scale
    held_out: list[HeldOut]
    manifest: dict[str, Any]
    """How it was made: runs, suites, seed, folds, calibration."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What picking by the model gains a task over one route for all, in shares of a solved task.

    ``proven``: that is above 0 with ``CONFIDENCE``.
    """

    over: str
    mean: float
    proven: bool


def encode(file: ModelFile) -> bytes:
    return msgspec.json.encode(file) + b"\n"


def decode(data: bytes) -> ModelFile:
    """Raises InvalidModel. Nothing in the file is run, and its size is bounded."""
    if len(data) > MOST_BYTES:
        raise InvalidModel(f"larger than {MOST_BYTES // 2**20} MiB")
    try:
        versions = msgspec.json.decode(data, type=_Versions)
        if (versions.schema, versions.features) != (SCHEMA, FEATURES):
            raise InvalidModel("made by another version of Weighbridge: train it again")
        file = msgspec.json.decode(data, type=ModelFile)
    except msgspec.MsgspecError as error:
        raise InvalidModel(f"not a model that `weighbridge policy train` wrote: {error}") from error
    _check(file)
    return file


def picks(file: ModelFile, worth_nanousd: float) -> list[int]:
    """For each held-out task the route that its prediction would have picked, by index."""
    costs = [route.cost_nanousd / worth_nanousd for route in file.routes]
    return [best(row.predicted, costs) for row in file.held_out]


def best(predicted: Sequence[float], costs: Sequence[float]) -> int:
    """The index of the route with the most left of what it may solve, less what it costs; the cheaper one of equals."""
    return max(range(len(costs)), key=lambda index: (predicted[index] - costs[index], -costs[index]))


def gains(file: ModelFile, worth_nanousd: float) -> list[Gain]:
    """Against each route for all requests. Whoever beats every one of them beats any policy that picks without looking
    at the prompt, and any random mixture: its value is a mean of theirs.

    A unit is a source problem; its value is what the pick was worth more than the route, a mean over its tasks. The
    bound is ``policies.bounds.betting_lower``'s, for values that are bounded and nothing else.
    """
    values = [_values(row, worth_nanousd) for row in file.held_out]
    costs = [cost for row in file.held_out for cost in row.cost_nanousd]
    most = 1 + (max(costs) - min(costs)) / worth_nanousd  # no two values differ by more
    picked = picks(file, worth_nanousd)
    found = []
    for index, route in enumerate(file.routes):
        problems: dict[str, list[float]] = {}
        for row, value, pick in zip(file.held_out, values, picked, strict=True):
            problems.setdefault(row.problem, []).append(value[pick] - value[index])
        units = [fsum(each) / len(each) for each in problems.values()]
        mean = fsum(units) / len(units)
        shares = [(min(1.0, max(0.0, (unit / most + 1) / 2)), 1) for unit in units]
        found.append(Gain(route.route, mean, mean > 0 and betting_refutes(shares, 0.5, CONFIDENCE)))
    return found


def refusal(file: ModelFile, worth_nanousd: float) -> str | None:
    """Why it must not route: on unseen tasks it is not better, with confidence, than a route for all. None: it may."""
    unproven = [gain for gain in gains(file, worth_nanousd) if not gain.proven]
    if not unproven:
        return None
    told = ", ".join(f"{gain.mean:+.3f} over '{gain.over}' for all" for gain in unproven)
    return (
        f"it does not beat the static policy: on {len(file.held_out)} unseen tasks its gain in solved tasks, costs"
        f" counted, is {told}, which is not above 0 with {CONFIDENCE:.0%} confidence"
    )


class _Versions(msgspec.Struct):
    schema: int
    features: int


def _values(row: HeldOut, worth_nanousd: float) -> list[float]:
    return [solved - cost / worth_nanousd for solved, cost in zip(row.solved, row.cost_nanousd, strict=True)]


def _check(file: ModelFile) -> None:
    """What the types do not say."""
    names = [route.route for route in file.routes]
    if len(set(names)) < len(names):
        raise InvalidModel("a route stands in it twice")
    if not file.held_out:
        raise InvalidModel("it holds no evaluation on unseen tasks")
    rows = ((row.predicted, row.solved, row.cost_nanousd) for row in file.held_out)
    if any(len(part) != len(names) for row in rows for part in row):
        raise InvalidModel("its evaluation is not of its routes")
    lengths: Mapping[str, tuple[Sequence[float], int]] = {
        "mean": (file.scale.mean, len(NUMBERS)),
        "deviation": (file.scale.deviation, len(NUMBERS)),
        **{f"numbers of '{each.route}'": (each.numbers, len(NUMBERS)) for each in file.routes},
        **{f"buckets of '{each.route}'": (each.buckets, BUCKETS) for each in file.routes},
        **{f"bias of '{each.route}'": ([each.bias], 1) for each in file.routes},
    }
    for name, (values, length) in lengths.items():
        if len(values) != length or not all(map(isfinite, values)):
            raise InvalidModel(f"{name}: not {length} finite numbers")
