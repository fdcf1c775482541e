import itertools
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.statistics import mean_pass_at_k, pass_at_k, quantile

_times = st.lists(st.floats(0, 1e6), min_size=1, max_size=200)


@given(_times, st.floats(0, 1))
def test_quantile_is_numpys_default(values: list[float], q: float) -> None:
    assert quantile(values, q) == pytest.approx(float(np.quantile(values, q)), rel=1e-9, abs=1e-9)


@given(_times)
def test_the_middle_quantile_is_the_median(values: list[float]) -> None:
    assert quantile(values, 0.5) == pytest.approx(statistics.median(values))


def test_quantile_of_nothing_is_unknown() -> None:
    assert quantile([], 0.99) is None


@pytest.mark.parametrize("q", [-0.1, 1.1])
def test_quantile_refuses_what_is_no_share(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile([1.0], q)


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_pass(case: tuple[int, int, int]) -> None:
    samples, passes, k = case
    draws = list(itertools.combinations([True] * passes + [False] * (samples - passes), k))
    assert pass_at_k(samples, passes, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_1_is_the_share_of_passes() -> None:
    assert pass_at_k(3, 2, 1) == pytest.approx(2 / 3)


@pytest.mark.parametrize(("samples", "passes", "k"), [(3, 4, 1), (3, 1, 4), (3, -1, 1), (3, 1, 0)])
def test_pass_at_k_refuses_impossible_counts(samples: int, passes: int, k: int) -> None:
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(samples, passes, k)


def test_the_mean_over_tasks_weighs_tasks_alike() -> None:
    assert mean_pass_at_k([(3, 3), (3, 0), (2, 1)], 1) == pytest.approx((1 + 0 + 0.5) / 3)


def test_a_task_with_too_few_samples_leaves_pass_at_k_unknown() -> None:
    assert mean_pass_at_k([(3, 3), (2, 1)], 3) is None
    assert mean_pass_at_k([], 1) is None
