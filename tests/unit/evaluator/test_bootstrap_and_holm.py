"""Against scipy and statsmodels (their figures are written down), and against enumeration."""

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.paired import two_sided
from evaluator.statistics.bootstrap import interval, two_sided_p
from evaluator.statistics.holm import holm

THIRDS = [1 / 3] * 9 + [-1 / 3] * 3 + [2 / 3] * 4 + [-2 / 3] * 2 + [1.0] * 3 + [-1.0] + [0.0] * 30
"""What 52 tasks gained."""


def test_holm_is_statsmodels() -> None:
    # statsmodels 0.15.0: multipletests([...], method="holm")[1]
    p_values = [0.01, 0.04, 0.03, 0.005, 0.2, 0.04]
    assert holm(p_values) == pytest.approx([0.05, 0.12, 0.12, 0.03, 0.2, 0.12])


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.001, 0.5))
def test_holm_rejects_step_by_step(p_values: list[float], level: float) -> None:
    """The procedure as Holm tells it: the least first, against level / how many are left, until one fails."""
    rejected = set()
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] * (len(p_values) - rank) > level:
            break
        rejected.add(index)
    assert {index for index, p in enumerate(holm(p_values)) if p <= level} == rejected


@pytest.mark.parametrize(
    ("one", "other", "p"),
    # statsmodels 0.15.0: mcnemar([[0, one], [other, 0]], exact=True).pvalue
    [(35, 8, 4.1934157934520044e-05), (7, 1, 0.0703125), (3, 9, 0.14599609375)],
)
def test_mcnemar_is_statsmodels_and_the_bootstrap_comes_near_it(one: int, other: int, p: float) -> None:
    assert two_sided(one, other) == pytest.approx(p)
    assert two_sided_p([(1.0, 1)] * one + [(-1.0, 1)] * other + [(0.0, 1)] * 50) == pytest.approx(p, abs=0.01)


def test_random_signs_are_as_likely_as_counted() -> None:
    # The exact share, by convolving the 52 signs: 0.0760975.
    assert two_sided_p([(gain, 1) for gain in THIRDS]) == pytest.approx(0.0760975, abs=0.01)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([-2.0, -1.0, -1 / 3, 0.0, 1 / 3, 2 / 3, 1.5]), max_size=6))
def test_random_signs_by_enumeration(gains: list[float]) -> None:
    observed = abs(sum(gains)) - 1e-9
    signs = list(product((-1, 1), repeat=len(gains)))
    exact = sum(abs(sum(s * g for s, g in zip(sign, gains, strict=True))) >= observed for sign in signs) / len(signs)
    assert two_sided_p([(gain, 1) for gain in gains]) == pytest.approx(exact, abs=0.025)


def test_the_interval_is_scipys() -> None:
    # scipy 1.17.1: bootstrap((THIRDS,), numpy.mean, method="percentile", n_resamples=100_000).confidence_interval
    assert interval([(gain, 1) for gain in THIRDS], 0.95) == pytest.approx((0.0, 0.2051), abs=0.0065)


def test_clusters_are_drawn_whole() -> None:
    apart = interval([(1.0, 1)] * 40 + [(0.0, 1)] * 40, 0.95)
    together = interval([(4.0, 4)] * 10 + [(0.0, 4)] * 10, 0.95)
    assert apart is not None and together is not None
    assert together[1] - together[0] > 1.7 * (apart[1] - apart[0])
    assert interval([(1.0, 1)], 0.95) is None


def test_seldom_is_nothing_taken_for_something() -> None:
    """Languages of a problem go together, and neither side is better."""
    rng = random.Random(5)
    alarms = 0
    for _ in range(80):
        clusters = [(rng.choice((-1, 1)) * rng.choice((0, 0, 1, 2, 4)) * 1.0, 4) for _ in range(30)]
        alarms += two_sided_p(clusters) < 0.05
    assert alarms <= 9  # 4 expected


def test_the_same_question_has_the_same_answer() -> None:
    clusters = [(gain, 1) for gain in THIRDS]
    assert two_sided_p(clusters) == two_sided_p(clusters)
    assert interval(clusters, 0.95) == interval(clusters, 0.95)
