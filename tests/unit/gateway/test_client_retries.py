"""What counts as a client's retry, told by its own count or by a body that failed a moment ago."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.client_retries import MOST, WITHIN_S, ClientRetries, own_count


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_body_that_failed_is_a_retry_once_and_for_a_minute() -> None:
    clock = Clock()
    retries = ClientRetries(clock)
    assert not retries.repeats("t", b"body")
    retries.failed("t", b"body")
    clock.now = WITHIN_S
    assert retries.repeats("t", b"body")
    assert not retries.repeats("t", b"body")  # it did not fail again
    retries.failed("t", b"body")
    clock.now += WITHIN_S + 1
    assert not retries.repeats("t", b"body")


def test_another_body_and_another_tenant_are_no_retries() -> None:
    retries = ClientRetries()
    retries.failed("t", b"body")
    assert not retries.repeats("t", b"bodY")
    assert not retries.repeats("u", b"body")
    assert retries.repeats("t", b"body")


@given(st.lists(st.binary(max_size=3), max_size=50))
def test_only_what_failed_last_with_its_length_is_remembered(bodies: list[bytes]) -> None:
    retries = ClientRetries(Clock())
    for body in bodies:
        retries.failed("t", body)
    last = {len(body): body for body in bodies}
    for body in set(bodies):
        assert retries.repeats("t", body) == (last[len(body)] == body)


def test_the_memory_is_bounded() -> None:
    retries = ClientRetries(Clock())
    for length in range(MOST + 1):
        retries.failed("t", b"x" * length)
    assert not retries.repeats("t", b"")
    assert all(retries.repeats("t", b"x" * length) for length in range(1, MOST + 1))


@pytest.mark.parametrize(("count", "said"), [(b"0", False), (b"", False), (b"1", True), (b"7", True), (None, None)])
def test_a_clients_own_count_is_read(count: bytes | None, said: bool | None) -> None:
    headers = [(b"host", b"x")] if count is None else [(b"host", b"x"), (b"x-stainless-retry-count", count)]
    assert own_count(headers) is said
