import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.paired import BOOTSTRAP, MCNEMAR, Flip, TaskScore, holm_over_languages, pair, two_sided


def test_p_values_worked_by_hand() -> None:
    assert two_sided(0, 0) == 1
    assert two_sided(1, 0) == 1
    assert two_sided(5, 0) == 2 / 32
    assert two_sided(6, 0) == 2 / 64
    assert two_sided(1, 5) == 2 * (1 + 6) / 64
    assert two_sided(4, 4) == 1


@given(one=st.integers(0, 7), other=st.integers(0, 7))
def test_p_is_the_share_of_coin_tosses_at_least_that_unequal(one: int, other: int) -> None:
    n = one + other
    heads = [sum(tosses) for tosses in product((0, 1), repeat=n)]
    extreme = sum(abs(2 * count - n) >= abs(one - other) for count in heads)
    assert two_sided(one, other) == pytest.approx(extreme / 2**n)
    assert two_sided(one, other) == two_sided(other, one)


@pytest.mark.parametrize("split", [(0, 11_000), (5_000, 5_400)])
def test_p_of_many_tasks_neither_overflows_nor_leaves_its_range(split: tuple[int, int]) -> None:
    p = two_sided(*split)
    assert 0 <= p <= 1
    assert math.isfinite(p)


def test_one_sample_a_task_is_mcnemars_case() -> None:
    passed, failed = TaskScore(1, 1), TaskScore(1, 0)
    before = {"a": passed, "b": failed, "c": failed, "d": passed, "gone": passed}
    after = {"a": passed, "b": passed, "c": passed, "d": failed, "new": passed}
    paired = pair(before, after, asked=6)
    assert (paired.test, paired.source) == MCNEMAR
    assert (paired.tasks, paired.unpaired, paired.alike) == (4, 2, 1)
    assert paired.better == (Flip("b", 0, 1), Flip("c", 0, 1))
    assert paired.worse == (Flip("d", 1, 0),)
    assert paired.p_value == two_sided(2, 1) == 1


def test_several_samples_a_task_are_bootstrapped_by_what_tasks_gained() -> None:
    before = {"a": TaskScore(3, 1), "b": TaskScore(3, 3), "c": TaskScore(2, 1)}
    after = {"a": TaskScore(3, 2), "b": TaskScore(3, 3), "c": TaskScore(4, 2)}
    paired = pair(before, after, asked=3)
    assert (paired.test, paired.source) == BOOTSTRAP
    assert paired.better == (Flip("a", 1 / 3, 2 / 3),)
    assert (paired.worse, paired.alike, paired.p_value) == ((), 2, 1)
    assert paired.difference == pytest.approx(1 / 9)


def test_a_problem_in_several_languages_is_one_piece_of_evidence() -> None:
    """Ten problems in four languages each that all got worse are ten, not forty."""
    names = [
        (f"{language}/{number}", str(number)) for number in range(10) for language in ("go", "cpp", "rust", "java")
    ]
    before = {task: TaskScore(1, 1, problem) for task, problem in names}
    after = {task: TaskScore(1, 0, problem) for task, problem in names}
    paired = pair(before, after, asked=40)
    assert (paired.test, paired.tasks, len(paired.worse)) == (BOOTSTRAP[0], 40, 40)
    assert 0.0005 < paired.p_value < 0.005  # two in 2 ** 10
    alone = pair({task: TaskScore(1, 1) for task, _ in names}, {task: TaskScore(1, 0) for task, _ in names}, asked=40)
    assert alone.p_value == 2 / 2**40


def test_languages_are_judged_as_several() -> None:
    six = ({str(n): TaskScore(1, 1) for n in range(6)}, {str(n): TaskScore(1, 0) for n in range(6)})
    languages = [pair(*six, asked=6), pair(six[1], six[0], asked=6), pair(six[0], six[0], asked=6)]
    first, second, third = holm_over_languages(languages)
    assert (first.p_value, first.p_holm, first.languages) == (0.03125, 0.09375, 3)
    assert (second.p_holm, third.p_holm) == (0.09375, 1)
    assert languages[0].is_worse(0.05) and not first.is_worse(0.05)
    assert holm_over_languages(languages[:1]) == languages[:1]


def test_worse_needs_more_than_chance_and_the_right_direction() -> None:
    passed, failed = TaskScore(1, 1), TaskScore(1, 0)
    before = {str(n): passed for n in range(6)}
    after = {str(n): failed for n in range(6)}
    assert pair(before, after, asked=6).is_worse(0.05)
    assert not pair(after, before, asked=6).is_worse(0.05)
    five = {name: before[name] for name in list(before)[:5]}
    assert not pair(five, after, asked=6).is_worse(0.05)


def test_nothing_in_common_is_no_evidence() -> None:
    paired = pair({}, {}, asked=0)
    assert (paired.tasks, paired.p_value, paired.difference, paired.interval) == (0, 1, None, None)
