"""Weighted, canary, sticking and mirroring policies in a running gateway."""

import re
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from tests.fixtures.gateway import Gateway, Serve, start_gateway, vllm_route
from tests.fixtures.otlp_receiver import OtlpReceiver, SpanSeen
from tests.fixtures.upstream import Received, Upstream, answers_json, chunk, event, says, streams_held
from tests.fixtures.waiting import eventually

BAR = {"pass_at_1": {"suite": "humaneval+", "at_least": 0.8}}
POLICIES = {
    "ab": {"weighted": {"a": 50, "b": 50}},
    "grown": {"canary": {"stable": "a", "candidate": "c", "while": BAR}},
    "best": {"objective": "most_accurate", "stick": {"margin": 0.05}},
    "mirrored": {"fallback": ["a"], "shadow": {"to": "b", "usd_per_day": 1}},
    "poor": {"fallback": ["a"], "shadow": {"to": "b", "usd_per_day": 0.000000001}},
}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
_numbers = count()


@pytest.fixture(scope="module")
def candidate_server() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def candidate(candidate_server: Upstream) -> Upstream:
    candidate_server.behaviour = says("mirrored answer")
    candidate_server.received.clear()
    return candidate_server


@pytest.fixture(scope="module")
def spans_at() -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def kinds_gateway(
    upstream_server: Upstream,
    candidate_server: Upstream,
    spans_at: OtlpReceiver,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    routes = {name: vllm_route(upstream_server.url, revision=name) for name in ("a", "c")}
    routes["b"] = vllm_route(candidate_server.url, revision="b")
    config = {"routes": routes, "policies": POLICIES, "telemetry": {"otlp_endpoint": spans_at.url}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        gateway = start_gateway(tmp_path_factory.mktemp("kinds"), config)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def kinds(kinds_gateway: Gateway, upstream: Upstream, candidate: Upstream) -> Gateway:
    return kinds_gateway


def ask(gateway: Gateway, policy: str, session: str, **fields: Any) -> httpx.Response:
    """Something new each time, so that the cache knows no answer."""
    headers = {"session-id": session, "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    answer = gateway.chat(f"{session}: {next(_numbers)}", model=policy, headers=headers, **fields)
    assert answer.status_code == 200, answer.text
    return answer


def route_of(gateway: Gateway, policy: str, session: str) -> str:
    return ask(gateway, policy, session).headers["x-weighbridge-route"]


def explained(gateway: Gateway, policy: str, **params: str) -> dict[str, Any]:
    return dict(gateway.http.get(f"/v1/policies/{policy}/explain", params=params).json())


def measure(gateway: Gateway, route: str, pass_at_1: float, day: int) -> None:
    """Posts a scorecard of 100 tasks, and waits until decisions go by it."""
    revision = gateway.http.get(f"/v1/models/{route}").json()["weighbridge"]["revision"]
    counts = {"tasks": 100, "repetitions": 1, "asked": 100, "scored": 100, "no_answer": 0, "unscorable": 0}
    named = {"run_id": f"{route}-{day}", "suite": "humaneval+", "suite_hash": "abc", "language": "python"}
    card = {**named, **counts, "route": route, "revision": revision, "pass_at_1": pass_at_1}
    posted = gateway.http.post(
        "/v1/scorecards", json={"scorecards": [{**card, "measured_at": f"2026-11-{day:02}T00:00:00Z"}]}
    )
    assert posted.status_code == 201, posted.text

    def known() -> bool:
        rows = explained(gateway, "best")["routes"]
        return any(row["route"] == route and row["objective"]["value"] == pass_at_1 for row in rows)

    eventually(known)


def dropped(gateway: Gateway, policy: str, reason: str) -> bool:
    pattern = rf'^weighbridge_shadow_dropped_total\{{policy="{policy}",reason="{reason}"\}} [1-9]'
    return re.search(pattern, gateway.http.get("/metrics").text, re.MULTILINE) is not None


def mirrored(candidate: Upstream, session: str) -> list[Received]:
    """What came of this session; of others something may still come."""
    return [got for got in candidate.received if got.json["messages"][0]["content"].startswith(f"{session}:")]


def shadow_rows(gateway: Gateway, session: str) -> list[dict[str, Any]]:
    rows = gateway.http.get("/v1/requests", params={"session": session}).json()["requests"]
    return [row for row in rows if row["policy"].startswith("shadow:") and row["outcome"] is not None]


def test_a_weighted_policy_keeps_each_session_on_its_route(kinds: Gateway) -> None:
    first = {f"session-{number}": route_of(kinds, "ab", f"session-{number}") for number in range(12)}
    assert set(first.values()) == {"a", "b"}
    for session, route in first.items():
        assert route_of(kinds, "ab", session) == route
        assert explained(kinds, "ab", session=session)["chosen"] == route


def test_a_canary_grows_with_its_evidence_and_says_so(kinds: Gateway) -> None:
    def figure() -> dict[str, Any]:
        (row,) = (row for row in explained(kinds, "grown")["routes"] if row["route"] == "c")
        return dict(row["objective"])

    assert figure()["value"] == 0.01 and "c is not measured on humaneval+" in figure()["meaning"]
    measure(kinds, "c", 0.9, day=1)
    assert figure()["value"] == 0.32 and figure()["run_id"] == "c-1"
    measure(kinds, "c", 0.5, day=2)
    assert figure()["value"] == 0 and "below the bar of 0.8" in figure()["meaning"]
    assert {route_of(kinds, "grown", f"session-{number}") for number in range(5)} == {"a"}


def test_a_session_stays_until_the_gain_beats_the_margin(kinds: Gateway) -> None:
    measure(kinds, "a", 0.8, day=3)
    assert route_of(kinds, "best", "staying") == "a"
    measure(kinds, "b", 0.83, day=3)
    eventually(lambda: explained(kinds, "best", session="staying")["stick"]["previous"] == "a")
    assert route_of(kinds, "best", "staying") == "a"
    assert route_of(kinds, "best", "new") == "b"
    reason = explained(kinds, "best", session="staying")["stick"]["reason"]
    assert reason == "stays on a, as b gains 3.0%, not more than 5.0% of margin and 0.0% for a cold cache"
    measure(kinds, "b", 0.9, day=4)
    assert route_of(kinds, "best", "staying") == "b"


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_is_mirrored_after_its_answer_and_the_client_sees_nothing_of_it(
    kinds: Gateway, candidate: Upstream, stream: bool
) -> None:
    session = f"mirrored-{stream}"

    def came() -> bool:
        """A worker that is behind drops what it might mirror, so that one question may not be enough."""
        answer = ask(kinds, "mirrored", session, stream=stream)
        assert answer.headers["x-weighbridge-route"] == "a" and "mirrored answer" not in answer.text
        return bool(mirrored(candidate, session))

    eventually(came)
    eventually(lambda: shadow_rows(kinds, session))
    row = shadow_rows(kinds, session)[0]
    assert (row["policy"], row["route"], row["outcome"], row["cache"]) == ("shadow:mirrored", "b", "ok", "bypass")
    assert row["cost_nanousd"] == 7 * 1000 + 2 * 2000
    eventually(lambda: 'policy="shadow:mirrored"' in kinds.http.get("/metrics").text)


def test_what_is_mirrored_has_a_span_of_its_own_in_its_clients_trace(
    kinds: Gateway, candidate: Upstream, spans_at: OtlpReceiver
) -> None:
    def came() -> bool:
        ask(kinds, "mirrored", "traced")
        return bool(mirrored(candidate, "traced"))

    def is_its(span: SpanSeen) -> bool:
        named = (span.attributes.get("weighbridge.policy"), span.attributes.get("session.id"))
        return named == ("shadow:mirrored", "traced")

    eventually(came)
    assert {span.trace_id for span in spans_at.wait_for(is_its)} == {TRACE}
    assert f"-{TRACE[:4]}" in mirrored(candidate, "traced")[0].headers["traceparent"]


def test_a_shadow_that_fails_is_told_apart_and_not_tried_again(kinds: Gateway, candidate: Upstream) -> None:
    candidate.behaviour = answers_json({"error": {"message": "no"}}, status=400)

    def came() -> bool:
        ask(kinds, "mirrored", "failing")
        return bool(shadow_rows(kinds, "failing"))

    eventually(came)
    assert {row["outcome"] for row in shadow_rows(kinds, "failing")} == {"upstream_refused"}
    assert all(len(row["attempts"]) == 1 for row in shadow_rows(kinds, "failing"))


def test_nothing_is_mirrored_beyond_the_days_budget(kinds: Gateway, candidate: Upstream) -> None:
    def over() -> bool:
        ask(kinds, "poor", "poor")
        return dropped(kinds, "poor", "budget")

    eventually(over)
    assert mirrored(candidate, "poor") == [] and shadow_rows(kinds, "poor") == []


def test_what_another_server_keeps_is_not_mirrored(kinds: Gateway, candidate: Upstream) -> None:
    def unfit() -> bool:
        ask(kinds, "mirrored", "unfit", previous_response_id="resp_1")
        return dropped(kinds, "mirrored", "unfit")

    eventually(unfit)
    assert mirrored(candidate, "unfit") == []


def test_what_is_mirrored_is_bounded_and_cut_short_when_the_gateway_stops(
    serve: Serve, upstream: Upstream, candidate: Upstream
) -> None:
    routes = {"a": vllm_route(upstream.url), "b": vllm_route(candidate.url)}
    gateway = serve({"routes": routes, "policies": {"mirrored": POLICIES["mirrored"]}})
    candidate.behaviour = streams_held(event(chunk("slow")), threading.Event())

    def came() -> bool:
        ask(gateway, "mirrored", "stopped", stream=True)
        return bool(mirrored(candidate, "stopped"))

    def too_many() -> bool:
        ask(gateway, "mirrored", "stopped", stream=True)
        return dropped(gateway, "mirrored", "at_once")

    eventually(came)
    eventually(too_many)
    assert gateway.stop() == 0
    eventually(mirrored(candidate, "stopped")[0].gone.is_set)
