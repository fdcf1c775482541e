"""Oracles: when a result is right. They see values that the host rebuilt, never the judged program's own objects."""

import math
from collections.abc import Iterator

from evaluator.judging import evalplus_oracles
from evaluator.judging.serialise import NumpyScalar
from evaluator.suites import Task

VERSION = 3
"""Raise it when a rule or the format of cached oracles changes: they are then made anew."""

Arguments = tuple[object, ...]

_FIND_ZERO = "HumanEval/32"
_EVALPLUS = {"evalplus": evalplus_oracles.CURRENT, "evalplus-before-sets": evalplus_oracles.BEFORE_SETS}


def matches(task: Task, args: Arguments, actual: object, expected: object, atol: float) -> bool:
    """Whether the task's oracle takes ``actual`` for ``expected``. ``atol`` comes from ``tolerance``."""
    try:
        if task.function_check.oracle == "exact":
            return typed(actual) == typed(expected)
        if task.task_id == _FIND_ZERO:
            return evalplus_oracles.is_root(args, actual, atol)
        is_equal = _EVALPLUS[task.function_check.oracle].get(task.task_id)
        equal = is_equal(args, actual, expected, atol) if is_equal else bool(actual == expected)
        return equal or _is_close(actual, expected, atol)
    except (TypeError, ValueError, ArithmeticError, RecursionError):
        return False  # where comparing raises, EvalPlus fails the test too


def tolerance(task: Task, before: float, expected: object) -> float:
    """The absolute tolerance of a call, from that of the call before it in its part (at first the check's own).

    EvalPlus's is sticky: once an expected value is made of floats, all later calls of the part have one.
    """
    sticky = task.function_check.oracle != "exact" and task.task_id != _FIND_ZERO
    return 1e-6 if sticky and before == 0 and _is_floats(expected) else before


def typed(value: object) -> object:
    """A hashable stand-in; two are equal where the values and all types in them are."""
    kind = type(value)
    if isinstance(value, list | tuple):
        return (kind, tuple([typed(item) for item in value]))
    if isinstance(value, set | frozenset):
        return (kind, frozenset([typed(item) for item in value]))
    if isinstance(value, dict):
        return (kind, frozenset([(typed(key), typed(item)) for key, item in value.items()]))
    if isinstance(value, NumpyScalar):
        return (kind, value.type_name, typed(value.value))
    if isinstance(value, float) and math.isnan(value):
        return (kind, "nan")
    if isinstance(value, bytearray):
        return (kind, bytes(value))
    return (kind, value)


def _is_close(actual: object, expected: object, atol: float) -> bool:
    """EvalPlus's rule for what is not equal (evalplus 0.3.1, ``eval/__init__.py``): close numbers of one type."""
    if atol == 0 or type(actual) is not type(expected):
        return False
    if isinstance(actual, list | tuple) and isinstance(expected, list | tuple) and len(actual) != len(expected):
        return False
    return allclose(actual, expected, rtol=1e-7, atol=atol)


def _is_floats(value: object) -> bool:
    if isinstance(value, list | tuple) and value:
        return all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def allclose(actual: object, expected: object, *, rtol: float, atol: float) -> bool:
    """``numpy.allclose(actual, expected, rtol, atol)`` of numbers and nested lists of them, broadcasting included.

    Raises TypeError or ValueError where numpy would make no array of numbers.
    """
    return all(
        abs(a - b) <= atol + rtol * abs(b) if _finite(b) else a == b
        for a, b in _broadcast(actual, _shape(actual), expected, _shape(expected))
    )


def _shape(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        return ()
    shapes = {_shape(item) for item in value}
    if len(shapes) > 1:
        raise ValueError("a ragged list")
    return (len(value), *(shapes.pop() if shapes else ()))


def _broadcast(
    a: object, a_shape: tuple[int, ...], b: object, b_shape: tuple[int, ...]
) -> Iterator[tuple[complex, complex]]:
    """Pairs of numbers, lined up by numpy's rule: from the last axis, where lengths are equal or one of them is 1."""
    if not a_shape and not b_shape:
        yield _number(a), _number(b)
        return
    a_items = _items(a) if len(a_shape) >= len(b_shape) else None
    b_items = _items(b) if len(b_shape) >= len(a_shape) else None
    if a_items is not None and b_items is not None and len(a_items) != len(b_items):
        if len(a_items) == 1:
            a_items *= len(b_items)
        elif len(b_items) == 1:
            b_items *= len(a_items)
        else:
            raise ValueError("shapes that do not fit")
    count = len(a_items if a_items is not None else b_items or [])
    for i in range(count):
        a_next = (a_items[i], a_shape[1:]) if a_items is not None else (a, a_shape)
        b_next = (b_items[i], b_shape[1:]) if b_items is not None else (b, b_shape)
        yield from _broadcast(*a_next, *b_next)


def _items(value: object) -> list[object]:
    assert isinstance(value, list | tuple)
    return list(value)


def _number(value: object) -> complex:
    """A float or complex; an int becomes a float as in numpy's arithmetic (OverflowError where it is too large)."""
    if isinstance(value, NumpyScalar):
        value = value.value
    if isinstance(value, complex):
        return value
    if isinstance(value, int | float):
        return float(value)
    raise TypeError(f"{type(value).__name__} is no number")


def _finite(value: complex) -> bool:
    return math.isfinite(value.real) and math.isfinite(value.imag)
