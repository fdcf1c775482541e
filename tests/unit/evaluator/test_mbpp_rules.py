"""What MBPP+ needs beyond HumanEval+: types that JSON lost, and answers that are right though different."""

import pytest

from evaluator.judging.compare import matches, typed
from evaluator.judging.serialise import Opaque, decode
from evaluator.languages.python_runner import encode
from evaluator.suites import FunctionCheck, SuiteError, Task
from evaluator.suites.mbpp_inputs import repaired


@pytest.mark.parametrize(
    ("number", "args", "expected"),
    [
        (3, [[1, 2]], ([1, 2],)),
        (2, [[1, 2], [3]], ((1, 2), (3,))),
        (63, [[[1, 2], [3]]], ([(1, 2), (3,)],)),
        (75, [[[1, 2]], 6], ([(1, 2)], 6)),
        (106, [[1], [2, 3]], ([1], (2, 3))),
        (115, [[[1, 2], [], {"a": 1}, None]], ([{1, 2}, {}, {}, {}],)),
        (124, ["0", "(-0-1j)"], (0.0, complex("-0-1j"))),
        (250, [[1, 2], 2], ((1, 2), 2)),
        (252, ["(1+2j)"], (1 + 2j,)),
        (252, [4], (4 + 0j,)),
        (259, [[[1, 2]], [[3]]], (((1, 2),), ((3,),))),
        (278, [[1, [2, 3]]], ((1, (2, 3)),)),
        (307, [["a", [5]], 1, 50], (("a", [5]), 1, 50)),
        (580, [[1, [2, [3]]]], ((1, (2, (3,))),)),
        (722, [{"Ann": [6.2, 70]}, 6.0, 70], ({"Ann": (6.2, 70)}, 6.0, 70)),
    ],
)
def test_inputs_get_back_the_types_that_json_lost(number: int, args: list[object], expected: object) -> None:
    assert typed(repaired(f"Mbpp/{number}", args)) == typed(expected)


@pytest.mark.parametrize(("number", "args"), [(2, [1]), (252, ["one"]), (722, [[1]]), (106, [[1]]), (115, [[[[]]]])])
def test_an_input_of_another_shape_is_an_error_of_the_file(number: int, args: list[object]) -> None:
    with pytest.raises(SuiteError, match=f"Mbpp/{number} has an input of another shape"):
        repaired(f"Mbpp/{number}", args)


def task(number: int, oracle: str = "evalplus") -> Task:
    return Task(f"Mbpp/{number}", "python", "", "f", "", FunctionCheck((), oracle=oracle))  # type: ignore[arg-type]


MATCH = Opaque("Match")


@pytest.mark.parametrize(
    ("number", "args", "actual", "expected", "right"),
    [
        (2, (), [2, 1, 1], (1, 2), True),
        (2, (), {1, 2}, (1, 2), True),
        (2, (), (1,), (1, 2), False),
        (2, (), None, (1, 2), False),
        (2, (), [[1]], (1,), False),
        (579, (), [0.1 + 0.2], [0.3], False),
        (737, (), True, MATCH, True),
        (737, (), "found", MATCH, True),
        (737, (), MATCH, None, False),
        (737, (), None, None, True),
        (737, (), False, None, True),
        (737, (), False, MATCH, False),
        (164, (), False, True, True),
        (295, (), 0, 12, True),
        (295, (), 11, 12, False),
        (558, (1, 23), 4, 1, True),
        (558, (1, 23), 1, 1, True),
        (558, (1, 23), 5, 1, False),
        (581, (3, 4), 35, 33, True),
        (581, (3, 4), 33, 33, True),
        (581, (3, 4), 34, 33, False),
    ],
)
def test_special_oracles(number: int, args: tuple[object, ...], actual: object, expected: object, right: bool) -> None:
    assert matches(task(number), args, actual, expected, 0) is right


def test_the_first_release_is_judged_as_it_was_published() -> None:
    first = "evalplus-before-sets"
    assert not matches(task(2, first), (), {1, 2}, (1, 2), 0)
    assert matches(task(2, first), (), (1, 2), (1, 2), 0)
    assert matches(task(164, first), (), False, True, 0)


def test_sets_and_complex_numbers_cross_the_sandbox_as_themselves() -> None:
    for value in ({1, 2}, frozenset({(1, 2)}), 1 - 2j, [(1, {2})], {"a": {3}}):
        assert typed(decode(encode(value))) == typed(value)
