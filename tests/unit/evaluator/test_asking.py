from hypothesis import given
from hypothesis import strategies as st

from evaluator.replaying.asking import Retries


@given(tries=st.integers(1, 40))
def test_waits_double_up_to_the_longest_and_are_spread(tries: int) -> None:
    retries = Retries(first_s=0.5, longest_s=30)
    most = min(0.5 * 2 ** (tries - 1), 30)
    assert most / 2 <= retries.wait_s(tries, None) <= most


@given(tries=st.integers(1, 40), asked_s=st.floats(0, 1e6))
def test_retry_after_is_obeyed_within_reason(tries: int, asked_s: float) -> None:
    assert Retries(obeyed_s=300).wait_s(tries, asked_s) == min(asked_s, 300)
