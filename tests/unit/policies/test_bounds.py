import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.bounds import wilson, wilson_lower

means = st.floats(0, 1)
counts = st.integers(0, 20_000)
confidences = st.floats(0.5, 0.999)


@pytest.mark.parametrize(
    ("passes", "tasks", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_interval_is_the_published_one(passes: int, tasks: int, low: float, high: float) -> None:
    assert wilson(passes / tasks, tasks, 0.95) == pytest.approx((low, high), abs=5e-5)


def test_164_tasks_at_least_080_need_140_passes() -> None:
    assert wilson_lower(139 / 164, 164, 0.95) < 0.80 <= wilson_lower(140 / 164, 164, 0.95)


def test_one_sided_bound_at_95_is_the_two_sided_one_at_90() -> None:
    assert wilson_lower(0.7, 50, 0.95) == pytest.approx(wilson(0.7, 50, 0.90)[0])


def test_without_tasks_nothing_is_known() -> None:
    assert wilson(0.5, 0, 0.95) == (0.0, 1.0)


@given(means, counts, confidences)
def test_interval_lies_in_the_unit_interval_and_holds_the_mean(mean: float, n: int, confidence: float) -> None:
    low, high = wilson(mean, n, confidence)
    assert 0 <= low <= mean <= high <= 1


@given(means, means, st.integers(1, 20_000), confidences)
def test_a_better_mean_never_lowers_the_bound(one: float, other: float, n: int, confidence: float) -> None:
    worse, better = sorted((one, other))
    assert wilson_lower(worse, n, confidence) <= wilson_lower(better, n, confidence) + 1e-12


@given(means, st.integers(1, 10_000), st.integers(1, 10_000), confidences)
def test_more_tasks_never_lower_the_bound(mean: float, n: int, more: int, confidence: float) -> None:
    assert wilson_lower(mean, n, confidence) <= wilson_lower(mean, n + more, confidence) + 1e-12


@pytest.mark.parametrize(("mean", "n", "confidence"), [(1.1, 5, 0.95), (-0.1, 5, 0.95), (0.5, -1, 0.95), (0.5, 5, 1.0)])
def test_impossible_arguments_are_refused(mean: float, n: int, confidence: float) -> None:
    with pytest.raises(ValueError):
        wilson_lower(mean, n, confidence)
