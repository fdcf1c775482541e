"""Spans of the real gateway at a real OTLP receiver: which there are, how they hang together, what they say."""

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.otlp_receiver import OtlpReceiver, SpanSeen
from tests.fixtures.upstream import Upstream

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NO_CACHE = {"cache-control": "no-store"}


@pytest.fixture(scope="module")
def spans_at() -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def traced_gateway(
    upstream_server: Upstream, spans_at: OtlpReceiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    config = {
        "routes": {"small": vllm_route(upstream_server.url)},
        "policies": {"auto": {"objective": "cheapest"}},
        "telemetry": {"otlp_endpoint": spans_at.url},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        gateway = start_gateway(tmp_path_factory.mktemp("traced"), config)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def traced(traced_gateway: Gateway, upstream: Upstream, request: pytest.FixtureRequest) -> Gateway:
    traced_gateway.topic = f"{request.node.name}: "
    return traced_gateway


def spans_of(spans_at: OtlpReceiver, request_id: str, attempts: int = 1) -> tuple[SpanSeen, list[SpanSeen]]:
    """The request's server span and its attempts' client spans."""
    (server,) = spans_at.wait_for(lambda span: span.attributes.get("weighbridge.request.id") == request_id)
    everything = spans_at.trace(server.trace_id, attempts + 1)
    return server, [span for span in everything if span is not server]


def test_a_request_is_a_server_span_and_its_attempt_a_client_span_below_it(
    traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream
) -> None:
    before = time.time_ns()
    answer = traced.chat("hi", model="auto")
    request_id = answer.headers["x-weighbridge-request-id"]
    server, (client,) = spans_of(spans_at, request_id)
    assert (server.name, server.kind, server.parent_id) == ("POST /v1/chat/completions", "server", "")
    revision = answer.headers["x-weighbridge-revision"]
    assert server.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "url.path": "/v1/chat/completions",
        "url.scheme": "http",
        "http.response.status_code": 200,
        "weighbridge.request.id": request_id,
        "weighbridge.asked": "auto",
        "weighbridge.policy": "auto",
        "weighbridge.decision.kept": 1,
        "weighbridge.decision.dropped": 0,
        "weighbridge.decision.reason": "cheapest of 1 kept, 0 dropped",
        "weighbridge.route": "small",
        "weighbridge.revision": revision,
        "weighbridge.cache": "miss",
        "weighbridge.outcome": "ok",
        "weighbridge.cost.nanousd": 7 * 1000 + 2 * 2000,
    }
    assert (client.name, client.kind, client.parent_id) == ("chat m", "client", server.span_id)
    first_chunk = client.attributes.pop("gen_ai.response.time_to_first_chunk")
    assert isinstance(first_chunk, float)
    assert 0 <= first_chunk <= (client.ended_ns - client.started_ns) / 1e9 + 0.005
    assert client.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": False,
        "gen_ai.response.model": "m",
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 2,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "server.address": "127.0.0.1",
        "server.port": upstream.port,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "weighbridge.route": "small",
        "weighbridge.revision": revision,
        "weighbridge.outcome": "ok",
        "weighbridge.cost.nanousd": 11_000,
        "weighbridge.usage.source": "provider",
    }
    assert before <= server.started_ns <= client.started_ns <= client.ended_ns <= server.ended_ns <= time.time_ns()
    assert not server.failed and not client.failed
    assert server.resource["service.name"] == "weighbridge"
    assert server.resource["deployment.environment.name"] == "test"


def test_a_streams_spans_name_the_model_that_the_upstream_named(
    traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream
) -> None:
    named = {**up.chunk("a"), "model": "m-2026-11"}
    usage = {**up.usage_chunk(9, 1), "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    usage["usage"]["prompt_tokens_details"] = {"cached_tokens": 4}
    upstream.behaviour = up.streams(*map(up.event, (named, up.chunk("", finish="stop"), usage, "[DONE]")))
    answer = traced.chat("hi", stream=True)
    _, (client,) = spans_of(spans_at, answer.headers["x-weighbridge-request-id"])
    assert client.attributes["gen_ai.request.stream"] is True
    assert client.attributes["gen_ai.request.model"] == "m"
    assert client.attributes["gen_ai.response.model"] == "m-2026-11"
    assert client.attributes["gen_ai.usage.cache_read.input_tokens"] == 4


def test_the_server_span_says_which_session_it_is_part_of(traced: Gateway, spans_at: OtlpReceiver) -> None:
    answer = traced.chat("hi", headers={"x-claude-code-session-id": "s-1"})
    server, (client,) = spans_of(spans_at, answer.headers["x-weighbridge-request-id"])
    assert (server.attributes["session.id"], "session.id" in client.attributes) == ("s-1", False)


def test_a_hit_has_no_attempt_and_costs_nothing(traced: Gateway, spans_at: OtlpReceiver) -> None:
    traced.chat("hi")
    answer = traced.chat("hi")
    server, clients = spans_of(spans_at, answer.headers["x-weighbridge-request-id"], attempts=0)
    assert clients == []
    assert (server.attributes["weighbridge.cache"], server.attributes["weighbridge.cost.nanousd"]) == ("hit", 0)


def test_the_callers_trace_goes_on_and_the_upstream_sees_the_attempts_span(
    traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream
) -> None:
    sent = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=x"}
    answer = traced.chat("hi", headers=sent)
    server, (client,) = spans_of(spans_at, answer.headers["x-weighbridge-request-id"])
    assert (server.trace_id, server.parent_id, server.state) == (TRACE, CALLER, "vendor=x")
    assert (client.trace_id, client.parent_id) == (TRACE, server.span_id)
    assert upstream.received[0].headers["traceparent"] == f"00-{TRACE}-{client.span_id}-01"
    assert upstream.received[0].headers["tracestate"] == "vendor=x"


def test_without_a_callers_trace_one_begins_here(traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream) -> None:
    for unusable in (
        {},
        {"traceparent": "nonsense", "tracestate": "a=b"},
        {"traceparent": f"00-{'0' * 32}-{CALLER}-01"},
    ):
        upstream.received.clear()
        answer = traced.chat("hi", headers={**NO_CACHE, **unusable})
        server, (client,) = spans_of(spans_at, answer.headers["x-weighbridge-request-id"])
        assert server.parent_id == ""
        assert upstream.received[0].headers["traceparent"] == f"00-{server.trace_id}-{client.span_id}-01"
        assert "tracestate" not in upstream.received[0].headers


def test_what_the_caller_does_not_sample_is_not_sampled(
    traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream
) -> None:
    trace_id = "ab" * 16
    unsampled = traced.chat("hi", headers={"traceparent": f"00-{trace_id}-{CALLER}-00"})
    assert re.fullmatch(f"00-{trace_id}-[0-9a-f]{{16}}-00", upstream.received[0].headers["traceparent"])
    spans_of(spans_at, traced.chat("and then").headers["x-weighbridge-request-id"])  # what came before is here by now
    assert unsampled.status_code == 200
    assert [span for span in spans_at.spans if span.trace_id == trace_id] == []


def test_each_attempt_has_its_span_and_its_context(traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream) -> None:
    answers = iter([up.answers_json({}, 503), _hang_up, up.says("at last")])

    async def behave(received: up.Received, writer: asyncio.StreamWriter) -> None:
        await next(answers)(received, writer)

    upstream.behaviour = behave
    answer = traced.chat("hi")
    server, clients = spans_of(spans_at, answer.headers["x-weighbridge-request-id"], attempts=3)
    assert [client.attributes["weighbridge.outcome"] for client in clients] == ["status", "broken", "ok"]
    assert [client.attributes.get("error.type") for client in clients] == ["503", "broken", None]
    assert [client.attributes.get("http.response.status_code") for client in clients] == [503, None, 200]
    assert [client.attributes.get("http.request.resend_count") for client in clients] == [None, 1, 2]
    assert [client.attributes.get("gen_ai.usage.output_tokens") for client in clients] == [None, None, 2]
    assert [client.attributes["weighbridge.cost.nanousd"] for client in clients] == [0, 0, 11_000]
    assert [client.failed for client in clients] == [True, True, False]
    assert {client.parent_id for client in clients} == {server.span_id}
    sent = [request.headers["traceparent"].split("-")[2] for request in upstream.received]
    assert sent == [client.span_id for client in clients]
    assert not server.failed


def test_a_failed_request_is_a_failed_span(traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream) -> None:
    upstream.behaviour = up.answers_json({"error": "bad"}, 400)
    sent = {"traceparent": f"00-{'cd' * 16}-{CALLER}-01"}
    assert traced.chat("hi", headers=sent).status_code == 400
    client, server = sorted(spans_at.trace("cd" * 16, 2), key=lambda span: span.kind)
    assert (server.attributes["http.response.status_code"], server.attributes["error.type"]) == (
        400,
        "upstream_refused",
    )
    assert (client.attributes["http.response.status_code"], client.attributes["error.type"]) == (400, "400")
    assert (server.failed, client.failed) == (False, True)  # a server is not to blame for a client's mistake


def test_a_stream_that_breaks_is_a_failed_span(traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream) -> None:
    upstream.behaviour = up.streams(up.event(up.chunk("a")), end=False)
    answer = traced.chat("hi", stream=True)
    server, (client,) = spans_of(spans_at, answer.headers["x-weighbridge-request-id"])
    assert (server.failed, client.failed) == (True, True)
    assert (server.attributes["weighbridge.outcome"], server.attributes["error.type"]) == (
        "broken_stream",
        "upstream_broken",
    )
    assert client.attributes["error.type"] == "broken"
    assert client.attributes["weighbridge.cost.nanousd"] == server.attributes["weighbridge.cost.nanousd"] > 0


def test_a_request_that_reaches_no_route_has_a_span_too(traced: Gateway, spans_at: OtlpReceiver) -> None:
    sent = {"traceparent": f"00-{'ef' * 16}-{CALLER}-01"}
    assert traced.chat("hi", model="nobody", headers=sent).status_code == 404
    (server,) = spans_at.trace("ef" * 16, 1)
    assert server.attributes["http.response.status_code"] == 404
    assert server.attributes["error.type"] == "model_not_found"
    assert "nobody" not in map(str, server.attributes.values())


def test_a_client_that_leaves_ends_both_spans(traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream) -> None:
    upstream.behaviour = up.streams(*[up.event(up.chunk("a"))] * 1200, pause_s=0.05)
    body = {"model": "small", "messages": traced.messages("hi"), "stream": True}
    with traced.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        request_id = answer.headers["x-weighbridge-request-id"]
        next(answer.iter_bytes())
    server, (client,) = spans_of(spans_at, request_id)
    for span in (server, client):
        assert span.attributes["weighbridge.outcome"] == "client_left"
        assert "error.type" not in span.attributes
        assert not span.failed
    assert client.ended_ns - client.started_ns < 50e9  # of sixty seconds


def test_two_readers_of_one_flight_are_two_requests_and_one_attempt(
    traced: Gateway, spans_at: OtlpReceiver, upstream: Upstream, tmp_path: Path
) -> None:
    go = threading.Event()
    end = (up.event(up.chunk("", finish="stop")), up.event("[DONE]"))
    upstream.behaviour = up.streams_held(up.event(up.chunk("a")), go, *end)
    body = {"model": "small", "messages": traced.messages("hi"), "stream": True}
    ask = partial(traced.http.stream, "POST", "/v1/chat/completions", json=body)
    with ask() as owner, ask() as shared:
        go.set()
        owner.read()
        shared.read()
    server, clients = spans_of(spans_at, shared.headers["x-weighbridge-request-id"], attempts=0)
    assert (clients, server.attributes["weighbridge.cache"]) == ([], "shared")
    server, (client,) = spans_of(spans_at, owner.headers["x-weighbridge-request-id"])
    assert (server.attributes["weighbridge.cache"], client.parent_id) == ("miss", server.span_id)


async def _hang_up(_: up.Received, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
