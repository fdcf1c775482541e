"""Against published numbers, against scipy and statsmodels (their figures are written down), and by enumeration."""

import random
from itertools import product
from math import comb, exp, log, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bounds import betting_lower, chernoff_lower, divergence, exact_lower, incomplete_beta, wilson

means = st.floats(0, 1)
counts = st.integers(0, 20_000)
confidences = st.floats(0.5, 0.999)


@pytest.mark.parametrize(
    ("passes", "tasks", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_the_published_one(passes: int, tasks: int, low: float, high: float) -> None:
    assert wilson(passes / tasks, tasks, 0.95) == pytest.approx((low, high), abs=5e-5)


def test_wilsons_interval_is_statsmodels() -> None:
    # statsmodels 0.15.0: proportion_confint(140, 164, method="wilson")
    assert wilson(140 / 164, 164, 0.95) == pytest.approx((0.7914832967850947, 0.8996451098377491))


def test_without_tasks_nothing_is_known() -> None:
    assert wilson(0.5, 0, 0.95) == (0.0, 1.0)
    assert exact_lower(0, 0, 0.95) == betting_lower([], 0.95) == chernoff_lower(0.5, 0, 0.95) == 0.0


@given(means, counts, confidences)
def test_wilsons_interval_lies_in_the_unit_interval_and_holds_the_mean(mean: float, n: int, confidence: float) -> None:
    low, high = wilson(mean, n, confidence)
    assert 0 <= low <= mean <= high <= 1


@pytest.mark.parametrize(
    ("x", "a", "b", "value"),
    # scipy 1.17.1: scipy.special.betainc(a, b, x)
    [
        (0.8, 140, 25, 0.04870545524432857),
        (0.1, 2, 3.5, 0.06635333222358686),
        (0.999, 50, 0.5, 0.7523690199653766),
        (1e-6, 0.5, 0.5, 0.0006366198784709245),
        (0.82, 8600, 1901, 0.6061239854939567),
    ],
)
def test_incomplete_beta_is_scipys(x: float, a: float, b: float, value: float) -> None:
    assert incomplete_beta(x, a, b) == pytest.approx(value, rel=1e-9)


@given(st.integers(1, 40), st.floats(0.001, 0.999), st.data())
def test_incomplete_beta_is_the_binomial_tail(n: int, m: float, data: st.DataObject) -> None:
    passes = data.draw(st.integers(1, n))
    tail = sum(comb(n, k) * m**k * (1 - m) ** (n - k) for k in range(passes, n + 1))
    assert incomplete_beta(m, passes, n - passes + 1) == pytest.approx(tail, rel=1e-9, abs=1e-15)


def test_164_tasks_at_least_080_need_140_passes() -> None:
    assert exact_lower(139, 164, 0.95) < 0.80 <= exact_lower(140, 164, 0.95)


@pytest.mark.parametrize(
    ("passes", "n", "confidence", "low"),
    # statsmodels 0.15.0: proportion_confint(passes, n, alpha=2 * (1 - confidence), method="beta")[0]
    [
        (140, 164, 0.95, 0.8004092350092504),
        (8, 8, 0.95, 0.6876560219336322),
        (1, 29, 0.95, 0.001767171000549537),
        (81, 263, 0.975, 0.25273674558527126),
        (8600, 10500, 0.99, 0.8101401480048301),
    ],
)
def test_the_exact_bound_is_clopper_and_pearsons(passes: int, n: int, confidence: float, low: float) -> None:
    assert exact_lower(passes, n, confidence) == pytest.approx(low, rel=1e-7)


def poisson_binomial(difficulties: list[float]) -> list[float]:
    """The distribution of the number of passes among tasks that pass with these chances."""
    chances = [1.0]
    for p in difficulties:
        chances = [a * p + b * (1 - p) for a, b in zip([0.0, *chances], [*chances, 0.0], strict=True)]
    return chances


@pytest.mark.parametrize("seed", range(20))
def test_the_exact_bound_covers_whatever_the_difficulties(seed: int) -> None:
    rng = random.Random(seed)
    kind = seed % 4
    difficulties = [
        {0: rng.random(), 1: float(rng.random() < 0.8), 2: 0.8, 3: rng.choice((0.05, 0.6, 1.0))}[kind]
        for _ in range(rng.randint(5, 120))
    ]
    n, theta = len(difficulties), sum(difficulties) / len(difficulties)
    for confidence in (0.9, 0.95, 0.99):
        wrong = [exact_lower(passes, n, confidence) > theta + 1e-9 for passes in range(n + 1)]
        missed = sum(chance for chance, is_wrong in zip(poisson_binomial(difficulties), wrong, strict=True) if is_wrong)
        assert missed <= 1 - confidence + 1e-12


@pytest.mark.parametrize(
    "difficulties", [(0.8,) * 7, (0.2, 0.5, 0.9, 1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0), (0.05,) * 7]
)
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_betting_bound_covers_whatever_the_difficulties(difficulties: tuple[float, ...], confidence: float) -> None:
    """Every outcome of seven tasks asked twice each, with its probability."""
    theta = sum(difficulties) / len(difficulties)
    missed = 0.0
    for passes in product((0, 1, 2), repeat=len(difficulties)):
        chance = prod(comb(2, c) * p**c * (1 - p) ** (2 - c) for c, p in zip(passes, difficulties, strict=True))
        if chance and betting_lower([(c / 2, passes.count(c)) for c in set(passes)], confidence) > theta + 1e-9:
            missed += chance
    assert missed <= 1 - confidence


@given(st.lists(st.tuples(means, st.integers(1, 50)), min_size=1, max_size=6), confidences, st.floats(0.01, 0.99))
def test_a_mean_is_refuted_when_the_four_capitals_together_say_so(
    values: list[tuple[float, int]], confidence: float, m: float
) -> None:
    n = sum(count for _, count in values)
    stakes = [min((2 * log(1 / (1 - confidence)) / (n * v)) ** 0.5, 1 / m) for v in (1 / 4, 1 / 8, 1 / 16, 1 / 32)]
    capital = sum(prod((1 + stake * (x - m)) ** count for x, count in values) for stake in stakes) / 4
    refuted = betting_lower(values, confidence) > m
    if abs(log(max(capital, 1e-300)) - log(1 / (1 - confidence))) > 1e-6:
        assert refuted is (capital >= 1 / (1 - confidence) and m < sum(x * count for x, count in values) / n)


def test_values_that_vary_less_prove_more() -> None:
    spread = betting_lower([(1.0, 140), (0.0, 24)], 0.95)
    close = betting_lower([(1.0, 92), (2 / 3, 72)], 0.95)
    assert spread < exact_lower(140, 164, 0.95) < close < 140 / 164


@given(st.floats(0.01, 1), st.integers(1, 20_000), confidences)
def test_the_bound_by_the_mean_alone_is_where_its_probability_bound_is_spent(
    mean: float, n: int, confidence: float
) -> None:
    low = chernoff_lower(mean, n, confidence)
    assert 0 <= low <= mean
    if 1e-6 < low < 1 - 1e-6:
        assert exp(-n * divergence(mean, low)) == pytest.approx(1 - confidence, rel=1e-4)


@given(means, means, st.integers(1, 2_000), confidences)
def test_a_better_mean_never_lowers_a_bound(one: float, other: float, n: int, confidence: float) -> None:
    worse, better = sorted((one, other))
    assert exact_lower(worse * n, n, confidence) <= exact_lower(better * n, n, confidence) + 1e-9
    assert chernoff_lower(worse, n, confidence) <= chernoff_lower(better, n, confidence) + 1e-9


@settings(max_examples=50)
@given(st.integers(0, 200), st.integers(1, 200), confidences)
def test_more_passes_never_lower_the_betting_bound(passes: int, fails: int, confidence: float) -> None:
    low, high = (betting_lower([(1.0, n), (0.0, fails)], confidence) for n in (passes, passes + 1))
    assert low <= high + 1e-9


@pytest.mark.parametrize(("mean", "n", "confidence"), [(1.1, 5, 0.95), (-0.1, 5, 0.95), (0.5, -1, 0.95), (0.5, 5, 1.0)])
def test_impossible_arguments_are_refused(mean: float, n: int, confidence: float) -> None:
    for bound in (wilson, chernoff_lower):
        with pytest.raises(ValueError):
            bound(mean, n, confidence)
    with pytest.raises(ValueError):
        betting_lower([(1.1, 5), (0.0, 5)], 0.95)
    with pytest.raises(ValueError):
        exact_lower(6, 5, 0.95)
