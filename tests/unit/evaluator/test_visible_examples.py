"""Which examples are found in a request, and that what is found holds for the right solution."""

import math
import time
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.examples.find import LONGEST_TEXT, find
from tests.fixtures.shared_data import needs_shared_data, shared_rows

DEF = "def f(x, y=0):\n    '''{}'''\n"


def shown_by(text: str) -> list[str]:
    found = find(text)
    return list(found.tests) if found is not None else []


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (">>> f(1)\n    2", ["same(f(1), 2)"]),
        (">>> f(1)\n    2\n    >>> f(2)\n    'a b'", ["same(f(1), 2)", "same(f(2), 'a b')"]),
        (">>> f([1,\n    ...    2])\n    [1, 2]", ["same(f([1, 2]), [1, 2])"]),
        (">>> f(1)  # a comment\n    [1,\n     2]", ["same(f(1), [1, 2])"]),
        (">>> round(f(1.5), 2)\n    0.25", ["same(round(f(1.5), 2), 0.25)"]),
        (">>> f(1)\n\n    more text", ["(f(1)) is None"]),
        (">>> f(1) == 2\n    True", ["same(f(1), 2)"]),
        (">>> f(1) > 2\n    True", ["f(1) > 2"]),
        ("assert f(1) == [2]", ["same(f(1), [2])"]),
        ("assert f(1) == [\n 2,\n 3]", ["same(f(1), [2, 3])"]),
        ("assert not f(1), 'no'", ["not f(1)"]),
        ("assert math.isclose(f(1), 2.5)", ["math.isclose(f(1), 2.5)"]),
        ("assert set(f(1)) == set([2])", ["same(set(f(1)), set([2]))"]),
        ("f(1) => 2", ["same(f(1), 2)"]),
        ("f(1) ==> true", ["same(f(1), True)"]),
        ("f(1) -> (1, 2)", ["same(f(1), (1, 2))"]),
        ("f(1) ➞ 'a'  # why", ["same(f(1), 'a')"]),
        ("f(1) = 3.5", ["same(f(1), 3.5)"]),
        ("- f(3) -> 4", ["same(f(3), 4)"]),
        ("f(1, 2) returns -1.", ["same(f(1, 2), -1)"]),
        ("f(1) # => 'No' (it is not)", ["same(f(1), 'No')"]),
        ("f(1) should return [[1], {}]", ["same(f(1), [[1], {}])"]),
        ("f('a)b') == 1", ["same(f('a)b'), 1)"]),
        ("f(5) -> 19 - 5 - 6 = 8", ["same(f(5), 8)"]),
        ("For x = 3, y = 'b' the output should be [1]", ["same(f(3, 'b'), [1])"]),
        ("Input: x = [1, 2], y = 3\n    Output: 4", ["same(f([1, 2], 3), 4)"]),
        ("Input:\n      list : [1]\n      most : 2\n    Output: 6", ["same(f([1], 2), 6)"]),
        ("For x = 3, y = 4, which is more, the output should be 1", ["same(f(3, 4), 1)"]),
        ("assert other(1, 2) => 3", ["same(f(1, 2), 3)"]),
        ("Input: 1, 2\n    Expected output: 'c'", ["same(f(1, 2), 'c')"]),
    ],
)
def test_examples_of_all_kinds_are_found(shown: str, expected: list[str]) -> None:
    assert shown_by(DEF.format(f"Does it.\n    {shown}\n    ")) == expected


@pytest.mark.parametrize(
    "shown",
    [
        "f is a function",
        ">>> f(unknown)\n    2",
        ">>> f(1)\n    <object at 0x7f>",
        ">>> f(1)\n    Traceback (most recent call last):",
        ">>> f(x=1)\n    2",
        ">>> x = 5",
        ">>> open('/etc/passwd').read() == f(1)",
        ">>> g(1)\n    2\n    >>> h(1)\n    3",
        "f(n) = f(n - 1) + 1",
        "f(1) + f(2) = 3",
        "f(4) = 4 + f(3)",
        "f(1) == 2 * y",
        "self.f(1) == 2",
        "f(1",
        "For x = 3 the output should be large",
        "Input: a number\n    Output: 3",
    ],
)
def test_what_is_not_certain_is_no_example(shown: str) -> None:
    assert shown_by(DEF.format(f"Does it.\n    {shown}\n    ")) == []


def test_a_request_in_prose_with_asserts_alone_says_which_function_it_wants() -> None:
    found = find(
        "Write a function that adds.\nassert set(add_all((3, 4), (5,))) == {3, 4, 5}\nassert add_all((), ()) == ()"
    )
    assert found is not None
    assert (found.entry_point, found.functions, len(found.tests)) == ("add_all", ("add_all",), 2)


def test_of_several_functions_the_one_with_examples_is_wanted_and_others_may_be_called() -> None:
    found = find(
        "def encode(s):\n    return s[::-1]\n\n\ndef decode(s):\n    '''\n    >>> decode('ba')\n    'ab'\n"
        "    >>> decode(encode('x'))\n    'x'\n    '''\n"
    )
    assert found is not None
    assert (found.entry_point, found.functions) == ("decode", ("decode", "encode"))


def test_the_code_that_is_asked_for_is_found_inside_prose_and_fences() -> None:
    code = "from typing import List\n\n\ndef f(x: List[int]) -> int:\n    '''\n    >>> f([1])\n    1\n    '''\n"
    for text in (
        code,
        f"Please complete this:\n\n{code}",
        f"Complete it.\n```python\n{code}```\nThank you, f is dear.",
    ):
        found = find(text)
        assert found is not None
        assert found.prompt.strip() == code.strip() and found.tests == ("same(f([1]), 1)",)


def same(a: object, b: object) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, abs_tol=1e-6))


@needs_shared_data
@pytest.mark.parametrize(
    ("suite", "without", "wrong"),
    [
        ("HumanEvalPlus-v0.1.10", 7, {"HumanEval/47", "HumanEval/116", "HumanEval/130", "HumanEval/148"}),
        ("MbppPlus-v0.2.0", 2, set()),
    ],
)
def test_what_real_suites_show_holds_for_their_solutions(suite: str, without: int, wrong: set[str]) -> None:
    """``wrong``: prompts whose own examples the canonical solution does not meet."""
    rows = shared_rows(f"suites/evalplus/{suite}.jsonl.gz")
    found = {row["task_id"]: find(f"Complete this.\n\n```python\n{row['prompt']}\n```") for row in rows}
    assert sum(examples is None for examples in found.values()) == without
    broken = set()
    for row in rows:
        examples = found[row["task_id"]]
        if examples is None:
            continue
        assert examples.entry_point == row["entry_point"]
        names: dict[str, Any] = {}
        with warnings.catch_warnings(action="ignore"):
            exec(row["prompt"] + row["canonical_solution"], names)
        names |= {"math": math, "same": same}
        if not all(eval(test, names) for test in examples.tests):
            broken.add(row["task_id"])
    assert broken == wrong


@given(
    st.text(max_size=300).map(
        lambda text: f"def f(x):\n    '''{text}\n>>> f({text})\n{text}\nf(1) -> {text}\nassert {text}"
    )
)
def test_no_text_is_too_wild(text: str) -> None:
    find(text)


@pytest.mark.parametrize(
    "part",
    [
        "f(1) -> ",
        "for x=",
        "Input: 1\n",
        "example" + " " * 50,
        ">>> f(1)\n",
        "assert f(\n",
        "def f(x):\n",
        "(" * 50,
        "```python\n",
        "f(" * 20,
        "'",
        "\t ",
    ],
)
def test_a_hostile_text_takes_no_longer_than_its_length(part: str) -> None:
    text = "def f(x):\n" + part * (2 * LONGEST_TEXT // len(part))
    began = time.process_time()
    find(text)
    assert time.process_time() - began < 10  # a pattern that goes back and forth would take hours
