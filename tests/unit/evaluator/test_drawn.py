import random
from collections import Counter
from math import exp, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.statistics.drawn import BETS, log_capital, lower, shows_above, shows_below, upper

VALUES = st.dictionaries(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(1, 200), min_size=1)


def test_it_is_what_a_bettor_has_who_plays_one_value_after_the_other() -> None:
    values = [1.0, 0.0, 1.0, 1.0, 0.5]
    purses = [1.0] * len(BETS)
    for value in values:
        purses = [purse * (1 + min(bet, 0.9 / 0.6) * (value - 0.6)) for purse, bet in zip(purses, BETS, strict=True)]
    assert log_capital(Counter(values), 0.6) == pytest.approx(log(sum(purses) / len(purses)))


@pytest.mark.parametrize("mean", [0.1, 0.5, 0.88])
def test_the_game_is_fair(mean: float) -> None:
    """Waudby-Smith and Ramdas 2024, section 4: expected capital stays at 1 where the mean is what is bet against."""
    fair = mean * exp(log_capital({1.0: 1}, mean)) + (1 - mean) * exp(log_capital({0.0: 1}, mean))
    assert fair == pytest.approx(1)
    two = sum(
        (mean if a else 1 - mean) * (mean if b else 1 - mean) * exp(log_capital(Counter([a, b]), mean))
        for a in (0.0, 1.0)
        for b in (0.0, 1.0)
    )
    assert two == pytest.approx(1)


@given(VALUES, st.floats(0.001, 0.5))
def test_bounds_enclose_the_mean_and_say_what_is_shown(values: dict[float, int], risk: float) -> None:
    mean = sum(value * count for value, count in values.items()) / sum(values.values())
    low, high = lower(values, risk), upper(values, risk)
    assert low <= mean + 1e-9 and mean - 1e-9 <= high
    assert low < 1e-6 or shows_above(values, low - 1e-6, risk)
    assert not shows_above(values, low + 1e-6, risk)
    assert high > 1 - 1e-6 or shows_below(values, high + 1e-6, risk)


@given(VALUES, st.floats(0.01, 0.98), st.floats(0.001, 0.02))
def test_capital_falls_as_the_mean_grows(values: dict[float, int], mean: float, more: float) -> None:
    assert log_capital(values, mean) >= log_capital(values, mean + more) - 1e-9


def test_nothing_drawn_says_nothing() -> None:
    assert (lower({}, 0.05), upper({}, 0.05)) == (0, 1)


def test_looking_after_every_draw_is_wrong_as_seldom_as_promised() -> None:
    rng = random.Random(1)
    wrong = 0
    for _ in range(200):
        values: Counter[float] = Counter()
        for _ in range(150):
            values[float(rng.random() < 0.7)] += 1
            if shows_above(values, 0.7, 0.1):
                wrong += 1
                break
    assert wrong <= 28  # binomial(200, 0.1): more have a chance below 0.5%


def test_a_route_far_from_its_bar_is_decided_soon() -> None:
    assert shows_above({1.0: 40}, 0.9, 0.05)
    assert shows_below({0.0: 8, 1.0: 2}, 0.8, 0.025)
