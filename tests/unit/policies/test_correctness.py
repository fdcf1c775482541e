import pytest

from policies.bounds import betting_lower, chernoff_lower, exact_lower, wilson
from policies.correctness import Correctness
from policies.scorecard import Unit


def test_one_sample_a_task_is_the_exact_case_and_shown_with_wilson() -> None:
    units = (Unit(0, 1, 24), Unit(1, 1, 140))
    for told in (units, ()):
        once = Correctness(140 / 164, 164, True, told)
        assert once.lower(0.95) == exact_lower(140, 164, 0.95)
        assert once.interval(0.95) == wilson(140 / 164, 164, 0.95)
        assert once.method == "wilson"


def test_several_samples_a_task_bet_on_tasks() -> None:
    often = Correctness(0.75, 4, False, (Unit(0.5, 1, 2), Unit(1, 1, 2)))
    assert often.lower(0.9) == betting_lower([(0.5, 2), (1.0, 2)], 0.9)
    low, high = often.interval(0.9) or (1, 0)
    assert low == betting_lower([(0.5, 2), (1.0, 2)], 0.95) < 0.75 < high
    assert high == pytest.approx(1 - betting_lower([(0.5, 2), (0.0, 2)], 0.95))
    assert often.method == "betting"


def test_units_that_are_not_told_leave_the_mean_alone() -> None:
    assert Correctness(0.9, 100, False).lower(0.95) == chernoff_lower(0.9, 100, 0.95)


def test_nothing_scored_proves_nothing() -> None:
    nothing = Correctness(None, 0, True)
    assert nothing.lower(0.95) == 0.0
    assert nothing.interval(0.95) is None


def test_problems_in_several_languages_are_one_unit_each() -> None:
    """Sixty problems in four languages that pass or fail together are no 240 tasks."""
    clustered = Correctness(0.9, 240, True, (Unit(0, 4, 6), Unit(4, 4, 54)))
    assert clustered.lower(0.95) == betting_lower([(0.0, 6), (1.0, 54)], 0.95)
    assert clustered.lower(0.95) < exact_lower(216, 240, 0.95)


def test_units_of_unequal_size_count_by_their_tasks() -> None:
    mixed = Correctness(13 / 15, 15, True, (Unit(3, 3, 4), Unit(1, 1, 1), Unit(0, 2, 1)))
    assert mixed.lower(0.9) == pytest.approx(6 * 3 / 15 * betting_lower([(1, 4), (1 / 3, 1), (0, 1)], 0.9))
    low, high = mixed.interval(0.9) or (1, 0)
    assert low < 13 / 15 < high <= 1
