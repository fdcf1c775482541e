"""A replica's breaker: when it opens, whom it lets through to see, and when it closes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import BackendError, Trouble
from backends.price import Price
from backends.route import Route
from gateway.fleet.breaker import OPEN_AFTER_FAILURES, OPEN_AT_MOST_S, OPEN_S, Breaker
from gateway.fleet.fleet import Fleet
from gateway.fleet.replica import LEFT_ALONE_AT_MOST_S, Replica

BROKEN = BackendError("broken", "x")


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker()
    assert breaker.failed(at, OPEN_AFTER_FAILURES, probe=False, may_open=True)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker()
    for _ in range(5):
        for _ in range(OPEN_AFTER_FAILURES - 1):
            assert not breaker.failed(0, 1, probe=False, may_open=True)
        breaker.succeeded()
    assert (breaker.state(0), breaker.admits(0)) == ("closed", True)
    breaker = opened()
    assert (breaker.state(0), breaker.admits(0)) == ("open", False)


def test_when_its_time_is_over_one_request_at_a_time_goes_to_see() -> None:
    breaker = opened()
    assert not breaker.began(OPEN_S - 0.1)
    assert breaker.state(OPEN_S) == "half_open"
    assert breaker.began(OPEN_S)
    assert not breaker.admits(OPEN_S)
    assert not breaker.began(OPEN_S)
    breaker.undecided(probe=False)
    assert not breaker.admits(OPEN_S)
    breaker.undecided(probe=True)  # its client left: the next one is the probe
    assert breaker.began(OPEN_S)
    breaker.probe_answers()
    assert (breaker.state(OPEN_S), breaker.admits(OPEN_S)) == ("closed", True)
    assert breaker.failed(OPEN_S, 1, probe=False, may_open=True)


def test_each_probe_that_fails_opens_it_for_longer() -> None:
    breaker, now, lasted = opened(), 0.0, []
    for _ in range(20):
        lasted.append(breaker.open_until - now)
        now = breaker.open_until
        assert breaker.began(now)
        assert breaker.failed(now, 1, probe=True, may_open=False)
    assert lasted[:2] == [OPEN_S, 2 * OPEN_S]
    assert lasted[-1] == OPEN_AT_MOST_S


def test_what_began_before_it_opened_decides_nothing() -> None:
    breaker = opened()
    breaker.succeeded()
    assert not breaker.failed(1, OPEN_AFTER_FAILURES, probe=False, may_open=True)
    assert (breaker.state(1), breaker.open_until) == ("open", OPEN_S)


@pytest.mark.parametrize("kind", ["timeout", "broken", "malformed"])
def test_being_slow_is_failing(kind: Trouble) -> None:
    replica = Replica("u")
    for number in range(OPEN_AFTER_FAILURES):
        opens = replica.failed(BackendError(kind, "x"), 0, probe=False, may_open=True)
        assert opens == (number == OPEN_AFTER_FAILURES - 1)


def test_a_client_mistake_is_not_the_replicas_fault_and_retry_after_is_obeyed_within_reason() -> None:
    replica = Replica("u")
    for _ in range(10):
        assert not replica.failed(BackendError("status", "x", status=400), 0, probe=False, may_open=True)
    assert replica.is_welcoming(0)
    replica.failed(BackendError("status", "x", status=429, retry_after=7), 0, probe=False, may_open=False)
    assert not replica.is_welcoming(6.9)
    assert replica.is_welcoming(7)
    replica.failed(BackendError("status", "x", status=429, retry_after=7e5), 0, probe=False, may_open=False)
    assert replica.is_welcoming(LEFT_ALONE_AT_MOST_S)


@given(st.integers(1, 7), st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["refused", "broken", "ok", "left"]))))
async def test_never_more_than_half_are_out(count: int, happened: list[tuple[int, str]]) -> None:
    """However they fail, and whichever is asked; a route's only replica is always tried."""
    urls = tuple(f"http://{number}" for number in range(count))
    route = Route("r", "recorded", "m", Price(), replicas=urls)
    fleet = Fleet({"r": route}, {"recorded": None})  # type: ignore[dict-item]
    for number, what in happened:
        url = urls[number % count]
        probe = fleet.began(route, url)
        error = BackendError(what, "x") if what in ("refused", "broken") else None  # type: ignore[arg-type]
        fleet.ended(route, url, error, complete=what != "left", probe=probe)
        out = [url for url in urls if not fleet.is_welcoming(route, url)]
        assert len(out) * 2 <= count
        assert set(fleet.replicas(route)) == set(urls)
        assert not set(fleet.replicas(route)[: count - len(out)]) & set(out)
