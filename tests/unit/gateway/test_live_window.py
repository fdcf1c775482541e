from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger.events import AttemptDetail, Opened, Settled
from gateway.live import window as live
from gateway.live.sketch import ERROR
from gateway.live.window import Window
from policies.live import WINDOW_S, InvalidTimes, LiveTimes, decode_times, encode_times

NOW = 1_000_000.0


def attempt(ms: float = 900, ttft_ms: float | None = 90, outcome: str = "ok", route: str = "small") -> AttemptDetail:
    return AttemptDetail(route, "http://r", "rev", outcome, ms, ttft_ms=ttft_ms)


def settled(*attempts: AttemptDetail, **more: Any) -> Settled:
    row: dict[str, Any] = {
        **{"id": "1", "at": NOW, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat", "route": "small"},
        **{"revision": "rev", "outcome": "ok", "status": 200, "cache": "miss", "streamed": True, "input_tokens": 1},
        **{"output_tokens": 1, "cached_input_tokens": 0, "usage_source": "provider", "cost_nanousd": 0},
        **{"ttft_ms": 5000.0, "total_ms": 9000.0, "attempts": list(attempts)},
    }
    return Settled(**{**row, **more})


def times(*rows: Settled | Opened, now: float = NOW) -> tuple[LiveTimes, ...]:
    window = Window()
    window.record(rows)
    return live.times(window.told(now))


def test_a_route_is_timed_by_its_own_attempts() -> None:
    """The request took nine seconds, because another route failed before."""
    rows = [settled(attempt(8000, None, "timeout", "large"), attempt(900, 90)) for _ in range(3)]
    large, small = times(*rows)
    assert (small.route, small.revision, small.first_tokens, small.answers) == ("small", "rev", 3, 3)
    assert small.ttft_p50_ms == pytest.approx(90, rel=ERROR)
    assert small.total_p99_ms == pytest.approx(900, rel=ERROR)
    assert large.ttft_p50_ms == pytest.approx(8000, rel=ERROR)  # so long, at least


@pytest.mark.parametrize(
    "row",
    [
        settled(attempt(), cache="hit"),
        settled(attempt(), cache="shared"),
        settled(attempt(), wire="embeddings"),
        settled(attempt(), wire="count_tokens"),
        settled(attempt(outcome="status")),
        settled(attempt(outcome="refused")),
        settled(attempt(outcome="client_left")),
        settled(),
        Opened("1", NOW, "t", "auto", "auto", "chat"),
    ],
)
def test_what_says_nothing_about_a_routes_times_is_left_out(row: Settled | Opened) -> None:
    assert times(row) == ()


def test_only_streams_have_a_first_token() -> None:
    (found,) = times(settled(attempt(), streamed=False), settled(attempt(ttft_ms=100), cache="bypass"))
    assert (found.first_tokens, found.answers) == (1, 2)
    assert found.ttft_p99_ms == pytest.approx(100, rel=ERROR)


@given(st.lists(st.tuples(st.floats(0, 3 * WINDOW_S), st.floats(1, 10_000)), max_size=30))
def test_what_is_older_than_the_window_is_forgotten(ago: list[tuple[float, float]]) -> None:
    found = times(*(settled(attempt(ms), at=NOW - seconds) for seconds, ms in ago))
    answers = sum(each.answers for each in found)
    young = sum(seconds <= WINDOW_S - 60 for seconds, _ in ago)
    assert young <= answers <= sum(seconds < WINDOW_S for seconds, _ in ago)


def test_a_route_that_serves_no_more_is_forgotten_altogether() -> None:
    window = Window()
    window.record([settled(attempt())])
    assert window.told(NOW + WINDOW_S) == ()
    assert window.told(NOW) == ()


def test_the_file_says_what_was_written() -> None:
    found = times(settled(attempt()), settled(attempt(route="large")))
    assert decode_times(encode_times(found)) == found
    with pytest.raises(InvalidTimes):
        decode_times(b'[{"route": 1}]')
