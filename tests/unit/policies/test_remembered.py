from collections.abc import Sequence

import numpy as np
import pytest

from policies import remembered
from policies.remembered import learn
from policies.remembered import remembered as remember

Pairs = Sequence[tuple[float, int]]


def test_a_value_is_computed_once_for_its_arguments() -> None:
    asked: list[object] = []

    @remember
    def once_for_its_arguments(values: Pairs, share: float) -> float:
        asked.append((values, share))
        return len(values) + share

    for values in ([(0.5, 2)], ((0.5, 2),), [(np.float64(0.5), 2)]):
        assert once_for_its_arguments(values, 0.25) == 1.25
    assert once_for_its_arguments([(0.5, 3)], 0.25) == 1.25
    assert once_for_its_arguments([(0.5, 2)], share=0.25) == 1.25  # the same by another name
    assert len(asked) == 3


def test_what_another_process_says_is_not_computed() -> None:
    @remember
    def told_by_another(value: float) -> float:
        return value

    assert told_by_another(2.0) == 2.0
    ((key, value),) = remembered.last(1).items()
    assert value == 2.0 and remembered.last(0) == {}
    learn({key.replace("2.0", "3.0"): 33.0})
    assert told_by_another(3.0) == 33.0
    assert list(remembered.last(2).values()) == [2.0, 33.0]


def test_no_more_is_remembered_than_it_is_bounded_to() -> None:
    @remember
    def bounded(value: int) -> float:
        computed.append(value)
        return float(value)

    computed: list[int] = []
    bounded(-1)
    learn({f"{number}": 0.0 for number in range(remembered.MOST - 1)})
    bounded(-1)
    learn({"one more": 0.0})
    bounded(-1)
    assert computed == [-1] and len(remembered.last(2 * remembered.MOST)) == remembered.MOST
    learn({f"other {number}": 0.0 for number in range(remembered.MOST)})
    bounded(-1)
    assert computed == [-1, -1]


def test_what_cannot_be_computed_is_not_remembered() -> None:
    @remember
    def impossible(value: float) -> float:
        raise ValueError(value)

    for _ in range(2):
        with pytest.raises(ValueError, match="1"):
            impossible(1.0)
