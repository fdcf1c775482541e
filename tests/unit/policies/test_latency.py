from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Route
from policies.compile import compile_policy
from policies.languages import OF_REQUEST
from policies.latency import Latency, goes_by_live, live_verdicts
from policies.live import LEAST, LatencySource, LiveTimes, TimeName
from policies.policy import Policy
from policies.request import RequestTraits
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

ROUTE = Route(name="small", backend="vllm", model="m", price=Price(), replicas=("http://r",))
REVISION = ROUTE.revision.id
TIMES: tuple[TimeName, ...] = ("ttft_p50_ms", "ttft_p99_ms", "total_p50_ms", "total_p99_ms")
SOURCES: tuple[LatencySource, ...] = ("live", "replayed", "worst")


def card(ms: float) -> Scorecard:
    day = "2026-11-01T00:00:00+00:00"
    whole = Scorecard("run", "small", REVISION, "s", "hash", "python", day, 10, 1, 10, 10, 0, 0, 1.0)
    return replace(whole, ttft_p50_ms=ms, ttft_p99_ms=ms, total_p50_ms=ms, total_p99_ms=ms)


def live(ms: float, count: int = 1000) -> LiveTimes:
    return LiveTimes("small", REVISION, count, ms, ms, count, ms, ms)


def snapshot(replayed: float | None, now: float | None, count: int = 1000) -> Snapshot:
    cards = () if replayed is None else (card(replayed),)
    return Snapshot(1, cards, live=() if now is None else (live(now, count),))


@pytest.mark.parametrize(
    ("source", "replayed", "now", "kept", "figure", "origin"),
    [
        ("live", 900, 100, True, 100, "live"),
        ("live", 100, 900, False, 900, "live"),
        ("live", 100, None, True, 100, "measured"),
        ("live", None, 100, True, 100, "live"),
        ("replayed", 900, 100, False, 900, "measured"),
        ("replayed", 100, 900, True, 100, "measured"),
        ("worst", 900, 100, False, 900, "measured"),
        ("worst", 100, 900, False, 900, "live"),
        ("worst", 300, 400, True, 400, "live"),
        ("worst", 400, 300, True, 400, "measured"),
        ("worst", None, 100, True, 100, "live"),
        ("worst", 100, None, True, 100, "measured"),
    ],
)
@pytest.mark.parametrize("time", TIMES)
def test_which_time_counts(
    time: TimeName,
    source: LatencySource,
    replayed: float | None,
    now: float | None,
    kept: bool,
    figure: float,
    origin: str,
) -> None:
    found = Latency(time, 500, source=source).judge(ROUTE, snapshot(replayed, now))
    assert (found.kept, found.figure, found.origin, found.measured) == (kept, figure, origin, True)


@pytest.mark.parametrize("source", SOURCES)
def test_without_any_time_it_is_unmeasured(source: LatencySource) -> None:
    assert not Latency("ttft_p50_ms", 500, source=source).judge(ROUTE, Snapshot()).measured
    others = Snapshot(1, live=(replace(live(1), revision="other"), replace(live(1), route="large")))
    assert not Latency("ttft_p50_ms", 500, source=source).judge(ROUTE, others).measured


@pytest.mark.parametrize("time", TIMES)
def test_too_few_requests_say_nothing(time: TimeName) -> None:
    least = LEAST[time.split("_")[1]]
    judge = Latency(time, 500).judge
    assert judge(ROUTE, snapshot(100, 900, least - 1)).origin == "measured"
    assert judge(ROUTE, snapshot(100, 900, least)).origin == "live"
    assert not judge(ROUTE, snapshot(None, 100, least - 1)).measured


def test_the_reason_says_over_how_many_requests() -> None:
    found = Latency("ttft_p99_ms", 2500).judge(ROUTE, snapshot(100, 2750.4, 1234))
    assert found.reason == (
        "first token at p99 is 2,750 ms over 1,234 live requests of the last 10 minutes, above the required 2,500 ms"
    )
    assert found.run_id is None


def test_published_evidence_is_not_mixed_with_live_times() -> None:
    evidence = snapshot(None, 100).of_origin("published")
    assert not Latency("ttft_p99_ms", 2500).judge(ROUTE, evidence).measured


def test_only_times_that_may_be_live_depend_on_them() -> None:
    assert goes_by_live(Policy("p", requirements=(Latency("ttft_p50_ms", 1, source="worst"),)))
    assert not goes_by_live(Policy("p", requirements=(Latency("ttft_p50_ms", 1, source="replayed"),)))
    assert not goes_by_live(Policy("p"))


@given(
    st.sampled_from(TIMES),
    st.sampled_from(SOURCES),
    st.sampled_from(["python", OF_REQUEST]),
    st.none() | st.floats(1, 1000),
    *[st.tuples(st.none() | st.floats(1, 1000), st.integers(0, 200))] * 2,
)
def test_a_decision_changes_only_where_a_verdict_does(
    time: TimeName,
    source: LatencySource,
    language: str,
    replayed: float | None,
    before: tuple[float | None, int],
    after: tuple[float | None, int],
) -> None:
    """What the gateway relies on: it compiles a policy anew only then."""
    policy = Policy("p", requirements=(Latency(time, 500, "s", language, source),))
    one, other = snapshot(replayed, *before), snapshot(replayed, *after)
    if live_verdicts(policy, [ROUTE], one) == live_verdicts(policy, [ROUTE], other):
        for request in (RequestTraits(1), RequestTraits(1, language="python")):
            routes = [compile_policy(policy, [ROUTE], each).decide(request).routes for each in (one, other)]
            assert routes[0] == routes[1]
