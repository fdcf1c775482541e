from hypothesis import given
from hypothesis import strategies as st

from backends.backend import BackendError
from gateway.fleet.replica import EJECT_AFTER_FAILURES, EJECT_AT_MOST_S, EJECT_S, Replica
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


BROKEN = BackendError("broken", "x")


def test_ejection_comes_after_failures_in_a_row_and_grows() -> None:
    replica = Replica("u")
    for _ in range(EJECT_AFTER_FAILURES - 1):
        assert not replica.learn(BROKEN, 0, may_eject=True)
    assert not replica.learn(None, 0, may_eject=True)
    ends = []
    for _ in range(20):
        while not replica.learn(BROKEN, 0, may_eject=True):
            pass
        ends.append(replica.out_until)
    assert ends[:2] == [EJECT_S, 2 * EJECT_S]
    assert ends[-1] == EJECT_AT_MOST_S
    assert replica.is_out(EJECT_AT_MOST_S - 1)
    assert not replica.is_out(EJECT_AT_MOST_S)


def test_a_client_mistake_is_not_the_replicas_fault_and_retry_after_is_obeyed() -> None:
    replica = Replica("u")
    for _ in range(10):
        assert not replica.learn(BackendError("status", "x", status=400), 0, may_eject=True)
    replica.learn(BackendError("status", "x", status=429, retry_after=7), 0, may_eject=False)
    assert replica.is_out(6.9)
