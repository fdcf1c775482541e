"""EvalPlus's special oracles: tasks where another answer than the canonical solution's is right as well.

The rules are those of evalplus 0.3.1, ``eval/__init__.py: unsafe_execute`` and ``eval/_special_oracle.py``
(https://github.com/evalplus/evalplus, Apache-2.0), which knows the tasks by their entry points.
"""

import math
from collections.abc import Callable, Mapping
from numbers import Number
from typing import Any

from evaluator.judging.serialise import NumpyScalar

Arguments = tuple[object, ...]


def is_root(args: Arguments, actual: object, atol: float) -> bool:
    """HumanEval/32, ``find_zero``: any root of the polynomial whose coefficients are the argument."""
    (coefficients,) = args
    x = actual.value if isinstance(actual, NumpyScalar) else actual
    if not isinstance(x, Number) or not isinstance(coefficients, list):
        return False
    return bool(abs(sum(c * math.pow(x, i) for i, c in enumerate(coefficients))) <= atol)  # type: ignore[arg-type]


def _same_set(args: Arguments, actual: Any, expected: Any, atol: float) -> bool:
    return set(actual) == set(expected)


def _is_found(args: Arguments, actual: object, expected: object, atol: float) -> bool:
    """The canonical solution gives a match or None: so much is asked, as a bool or by not being None."""
    return (actual if isinstance(actual, bool) else actual is not None) == (expected is not None)


def _anything(args: Arguments, actual: object, expected: object, atol: float) -> bool:
    return True


def _equal_or_zero(args: Arguments, actual: Any, expected: object, atol: float) -> bool:
    return bool(actual == expected or actual == 0)


def _is_pyramid_surface(args: Arguments, actual: Any, expected: object, atol: float) -> bool:
    """The second argument may also be taken for the height from base to apex, and the area be rounded."""
    base, height = args
    assert isinstance(base, int | float) and isinstance(height, int | float)
    area = base**2 + 4 * (base * math.sqrt((base / 2) ** 2 + height**2)) / 2
    return bool(actual == expected or abs(actual - round(area)) <= atol)


def _is_digit_distance(args: Arguments, actual: object, expected: object, atol: float) -> bool:
    """The shorter number may also be filled up with zeros on its left."""
    a, b = map(str, args)
    width = max(len(a), len(b))
    padded = sum(abs(int(x) - int(y)) for x, y in zip(a.zfill(width), b.zfill(width), strict=True))
    return actual in (expected, padded)


Equality = Callable[[Arguments, object, object, float], bool]
"""Whether arguments, actual, expected, absolute tolerance make an exact match."""

CURRENT: Mapping[str, Equality] = {
    **dict.fromkeys((f"Mbpp/{number}" for number in (2, 7, 111, 140, 232, 249, 579, 769)), _same_set),
    **dict.fromkeys((f"Mbpp/{number}" for number in (737, 787, 794)), _is_found),
    "Mbpp/164": _anything,
    "Mbpp/295": _equal_or_zero,
    "Mbpp/558": _is_digit_distance,
    "Mbpp/581": _is_pyramid_surface,
}
BEFORE_SETS: Mapping[str, Equality] = {task_id: rule for task_id, rule in CURRENT.items() if rule is not _same_set}
"""Before evalplus 0.3.0 order and type of a collection counted everywhere: verdicts published on MBPP+ 0.1.0 say so."""
