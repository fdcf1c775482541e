"""The oracles, EvalPlus's checked against numpy."""

import math
import warnings
from decimal import Decimal

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.judging.compare import allclose, matches, tolerance, typed
from evaluator.judging.serialise import NumpyScalar, Opaque
from evaluator.suites import FunctionCheck, Task


def task(oracle: str = "evalplus", atol: float = 0.0, task_id: str = "HumanEval/0") -> Task:
    check = FunctionCheck((), oracle=oracle, atol=atol)  # type: ignore[arg-type]
    return Task(task_id, "python", "", "f", "", check)


def numpy_says(actual: object, expected: object, atol: float) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(numpy.allclose(actual, expected, rtol=1e-7, atol=atol))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False


def we_say(actual: object, expected: object, atol: float) -> bool:
    try:
        return allclose(actual, expected, rtol=1e-7, atol=atol)
    except (TypeError, ValueError, OverflowError):
        return False


numbers = st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.sampled_from([0.0, 1.0, 1 + 1e-8, 1e-7, 1e9])
arrays = st.recursive(numbers, lambda inner: st.lists(inner, max_size=3) | st.tuples(inner), max_leaves=6)


@given(arrays, arrays)
def test_allclose_is_numpys(actual: object, expected: object) -> None:
    assert we_say(actual, expected, 1e-6) == numpy_says(actual, expected, 1e-6)


@given(arrays, st.floats(-1e-6, 1e-6))
def test_allclose_near_the_tolerance(value: object, shift: float) -> None:
    def shifted(item: object) -> object:
        return [shifted(i) for i in item] if isinstance(item, list | tuple) else item + shift  # type: ignore[operator]

    assert we_say(shifted(value), value, 5e-7) == numpy_says(shifted(value), value, 5e-7)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([[1.0], [2.0]], [[1.0, 1.0], [2.0, 2.0]]),
        ([[1.0], [2.0]], [[1.0, 1.0, 3.0]]),
        ([1.0, 1.0], [[1.0], [1.0]]),
        ([[]], [[1.0]]),
        ([[]], [[1.0, 2.0]]),
        ([[1.0], 2.0], [[1.0], 2.0]),
        (1 + 2j, 1 + 2j + 1e-9),
        (math.inf, math.inf),
        (-math.inf, math.inf),
        (math.nan, math.nan),
        ("1.0", 1.0),
        ([None], [1.0]),
        ({1.0}, {1.0}),
    ],
    ids=repr,
)
def test_allclose_by_example(actual: object, expected: object) -> None:
    assert we_say(actual, expected, 1e-6) == numpy_says(actual, expected, 1e-6)


@pytest.mark.parametrize(
    ("actual", "expected", "atol", "right"),
    [
        (1, True, 0, True),
        (1.0, 1, 0, True),
        ([1], (1,), 0, False),
        (math.nan, math.nan, 0, False),
        (0.1 + 0.2, 0.3, 0, False),
        (0.1 + 0.2, 0.3, 1e-6, True),
        (NumpyScalar("float64", 0.1 + 0.2), 0.3, 1e-6, False),
        (NumpyScalar("float64", 0.3), 0.3, 1e-6, True),
        ([0.1 + 0.2], (0.3,), 1e-6, False),
        ([1.0, 1.0], [1.0], 1e-6, False),
        ([(0.1 + 0.2,)], [[0.3]], 1e-6, True),
        (10**9 + 1, 10**9, 1e-6, True),
        (10**9 + 1, 10**9, 0, False),
        (10**400, 1.0, 1e-6, False),
        (10**400 + 1, 10**400, 1e-6, False),
        ({1: 0.1 + 0.2}, {1: 0.3}, 1e-6, False),
        ("a", "b", 1e-6, False),
        (None, None, 1e-6, True),
        (Opaque("object"), Opaque("object"), 1e-6, False),
        (Decimal("sNaN"), 1, 0, False),
        (Decimal(1), 1, 0, True),
    ],
    ids=repr,
)
def test_evalplus(actual: object, expected: object, atol: float, right: bool) -> None:
    assert matches(task(), (), actual, expected, atol) is right


def test_the_tolerance_is_sticky() -> None:
    atol, seen = 0.0, []
    for expected in (1, [1.0, 2], 2.0, "a", 3):
        atol = tolerance(task(), atol, expected)
        seen.append(atol)
    assert seen == [0, 0, 1e-6, 1e-6, 1e-6]
    assert tolerance(task(atol=1e-3), 1e-3, 1.0) == 1e-3
    assert tolerance(task("exact"), 0, 1.0) == 0


@pytest.mark.parametrize(
    ("root", "right"),
    [(2.0, True), (1.00001, True), (1.5, False), (1, True), (NumpyScalar("float64", 2.0), True), (True, True),
     ("2", False), (None, False), (1j, False), (math.nan, False), (math.inf, False), (10**400, False), ([1.0], False)],
    ids=repr,
)  # fmt: skip
def test_find_zero_takes_any_root(root: object, right: bool) -> None:
    polynomial = task(atol=1e-4, task_id="HumanEval/32")
    assert matches(polynomial, ([2, -3, 1],), root, 2.0, 1e-4) is right


@pytest.mark.parametrize(
    ("actual", "expected", "right"),
    [
        (True, 1, False),
        (1, 1.0, False),
        ([1], (1,), False),
        ([1], [True], False),
        ({1: 2}, {True: 2}, False),
        ({1: 2}, {1: 2.0}, False),
        ({"a": [1, (2,)]}, {"a": [1, (2,)]}, True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({1, 2}, frozenset({1, 2}), False),
        ({(1,)}, {(True,)}, False),
        ({2, 1}, {1, 2}, True),
        (b"a", bytearray(b"a"), False),
        (math.nan, math.nan, True),
        ([math.nan], [math.nan], True),
        (0.1 + 0.2, 0.3, False),
        (NumpyScalar("int64", 1), 1, False),
        (Opaque("object"), None, False),
        (None, None, True),
    ],
    ids=repr,
)
def test_exact(actual: object, expected: object, right: bool) -> None:
    assert matches(task("exact"), (), actual, expected, 0) is right


def test_typed_is_hashable_all_the_way_down() -> None:
    hash(typed({"a": [{1}, {2: bytearray(b"x")}, (frozenset(),)]}))
