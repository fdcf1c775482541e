"""Sampling without replacement, looked at after every draw: by enumeration where it is small enough, else by play."""

from itertools import chain, permutations
from math import exp, inf, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.statistics.sequence import interval, log_capital
from evaluator.statistics.strata import stratified

shares = st.sampled_from([0.0, 1 / 3, 0.5, 2 / 3, 1.0])


def test_the_first_bets_by_hand() -> None:
    """Ten tasks with five passes at most: the odds for the first are even."""
    stakes = [1 / 8, 1 / 4, 1 / 2, 1, 0.75 / 0.5]
    assert exp(log_capital([[1.0]], 10, 5)) == pytest.approx(sum(1 + stake * 0.5 for stake in stakes) / 5)
    fair = 4 / 9
    second = [stake if stake * fair < 0.75 else 0.75 / fair for stake in (1 / 8, 1 / 4, 1 / 2, 1, 2)]
    both = sum((1 + a * 0.5) * (1 - b * fair) for a, b in zip(stakes, second, strict=True)) / 5
    assert exp(log_capital([[1.0], [0.0]], 10, 5)) == pytest.approx(both)


@pytest.mark.parametrize(
    "values", [(1, 1, 1, 0, 0, 0), (1, 1, 1, 1, 1, 0), (1 / 3, 1 / 3, 2 / 3, 1, 0, 0.5), (0.5,) * 6, (0, 0, 0, 0, 0, 1)]
)
@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.5])
def test_in_all_orders_the_capital_seldom_ever_reaches_its_mark(values: tuple[float, ...], alpha: float) -> None:
    orders = list(permutations(values))
    for mirrored in (False, True):
        crossed = 0
        for order in orders:
            drawn = [[1 - x if mirrored else x] for x in order]
            total = sum(map(sum, drawn))
            crossed += any(log_capital(drawn[:n], 6, total) >= log(1 / alpha) for n in range(7))
        assert crossed / len(orders) <= alpha
        means = [exp(log_capital([[x] for x in order[:4]], 6, sum(values))) for order in orders]
        assert sum(means) / len(means) == pytest.approx(1)  # the bets are fair


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_in_stratified_blocks_too(alpha: float) -> None:
    """Languages of unequal size and difficulty; each seed draws another order of the same values."""
    strata = [[1.0] * 17 + [0.0], [0.0] * 5 + [0.5] * 3 + [1.0] * 3, [1 / 3] * 6]
    tasks, total = 35, sum(map(sum, strata))
    replays, crossed, ends = 1500, 0, []
    for seed in range(replays):
        blocks = stratified(strata, seed)
        capitals = [log_capital(blocks[:n], tasks, total) for n in range(len(blocks))]
        crossed += max(capitals) >= log(1 / alpha)
        ends.append(exp(capitals[len(capitals) // 2]))
    assert crossed / replays <= alpha
    assert sum(ends) / replays < 1.05  # expected to be 1 at most


@given(
    st.lists(st.lists(shares, min_size=1, max_size=3), min_size=1, max_size=12), st.integers(0, 30), st.floats(0, 60)
)
def test_the_capital_falls_as_the_total_grows(blocks: list[list[float]], more: int, total: float) -> None:
    tasks = sum(map(len, blocks)) + more
    assert log_capital(blocks, tasks, total + 0.5) <= log_capital(blocks, tasks, total) + 1e-9


@given(st.lists(shares, min_size=1, max_size=40), st.integers(0, 40))
@settings(max_examples=50)
def test_the_interval_holds_what_is_possible_and_closes_at_the_end(values: list[float], more: int) -> None:
    blocks = [[x] for x in values]
    tasks = len(values) + more
    low, high = interval(blocks, tasks, 0.95)
    assert 0 <= low <= high <= 1
    possible = sum(values) / tasks, (sum(values) + more) / tasks
    assert low >= possible[0] - 1e-6 and high <= possible[1] + 1e-6
    if not more:
        assert (low, high) == pytest.approx((sum(values) / tasks,) * 2, abs=1e-6)


def test_more_than_the_total_is_certain() -> None:
    assert log_capital([[1.0], [1.0]], 10, 1.5) == inf
    assert log_capital([[1.0], [1.0]], 10, 2) < inf


def test_long_replays_stay_within_floats() -> None:
    drawn = [[1.0]] * 9000
    assert log_capital(drawn, 10_000, 9500) > 300
    assert log_capital([[0.0]] * 9000, 10_000, 9500) < -300


def test_the_order_is_seeded_and_shares_are_kept() -> None:
    strata = [[f"a{n}" for n in range(40)], [f"b{n}" for n in range(20)], ["c"], []]
    blocks = stratified(strata, 7)
    assert blocks == stratified(strata, 7) != stratified(strata, 8)
    assert sorted(chain(*blocks)) == sorted(chain(*strata))
    half = list(chain(*blocks[: len(blocks) // 2]))
    assert sum(name[0] == "a" for name in half) / len(half) == pytest.approx(2 / 3, abs=0.1)


def test_one_stratum_comes_one_by_one() -> None:
    assert all(len(block) == 1 for block in stratified([range(100)], 0))


def test_each_that_is_left_is_as_likely_to_be_next() -> None:
    first = [0] * 7
    for seed in range(7000):
        for member in stratified([range(4), range(4, 7)], seed)[0]:
            first[member] += 1
    assert max(first) - min(first) < 300  # 2,000 each, and blocks hold two on average
