from hypothesis import given
from hypothesis import strategies as st

from gateway.pipeline.retry import BUDGET_LEAST, RetryBudget, backoff_s


@given(st.integers(0, 200))
def test_retries_are_at_most_a_fifth_of_the_active_requests_and_always_three(active: int) -> None:
    budget = RetryBudget()
    budget.active = active
    taken = 0
    while budget.take():
        taken += 1
    assert taken == max(BUDGET_LEAST, -(-active // 5))
    budget.give_back()
    assert budget.take()


@given(st.integers(1, 5))
def test_backoff_stays_below_a_doubling_bound(retry: int) -> None:
    assert 0 <= backoff_s(retry) <= 0.1 * 2 ** (retry - 1)
