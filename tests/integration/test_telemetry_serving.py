"""Telemetry and the serving process: what is off costs nothing, what fails is not felt, a JSON line a request."""

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.otlp_receiver import OtlpReceiver
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

DROPPED = r'weighbridge_spans_total\{outcome="dropped"\} [1-9]'
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def config(upstream: Upstream, **telemetry: object) -> dict[str, Any]:
    return {"routes": {"small": vllm_route(upstream.url)}, "telemetry": telemetry}


def request_lines(gateway: Gateway, count: int) -> list[dict[str, Any]]:
    eventually(lambda: len(gateway.logged("request")) >= count)
    return gateway.logged("request")


def has_sdk(gateway: Gateway) -> bool:
    """OTLP's messages are a shared library, so that the process's memory map shows whether they are loaded."""
    return "google/_upb/" in Path(f"/proc/{gateway.worker()}/maps").read_text()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")


def test_without_an_endpoint_no_sdk_is_loaded_and_trace_headers_pass_as_they_came(
    serve: Serve, upstream: Upstream
) -> None:
    gateway = serve(config(upstream))
    gateway.chat("hi", headers={"traceparent": CALLER, "tracestate": "a=b"})
    gateway.chat("ho")
    given, not_given = upstream.received
    assert (given.headers["traceparent"], given.headers["tracestate"]) == (CALLER, "a=b")
    assert "traceparent" not in not_given.headers
    assert not has_sdk(gateway)


def test_the_standard_variables_are_obeyed(
    serve: Serve, upstream: Upstream, collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collector")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "assistants")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    gateway = serve(config(upstream))
    assert has_sdk(gateway)
    gateway.chat("not sampled")
    gateway.chat("sampled by its caller", headers={"traceparent": CALLER})
    first, second = collector.trace(CALLER.split("-")[1], 2)
    assert first.resource["service.name"] == second.resource["service.name"] == "assistants"
    assert len(collector.spans) == 2
    request = collector.requests[0]
    assert (request[":path"], request["authorization"]) == ("/v1/traces", "Bearer collector")
    assert request["content-encoding"] == "gzip"


def test_without_its_collector_the_gateway_serves_and_says_so_once(serve: Serve, upstream: Upstream) -> None:
    with socket.socket() as held:  # bound, so that nobody else takes it, and not listening
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        gateway = serve(config(upstream, otlp_endpoint=f"http://127.0.0.1:{port}"))

        def dropped() -> bool:
            assert gateway.chat("hi", headers={"cache-control": "no-store"}).status_code == 200
            return re.search(DROPPED, gateway.http.get("/metrics").text) is not None

        eventually(dropped)
        said = [event["message"] for event in gateway.logged() if event["logger"] == "weighbridge.telemetry"]
        assert said == ["spans cannot be exported; serving goes on without them"]
    collector = OtlpReceiver(port)
    try:
        collector.wait_for(lambda span: span.kind == "server")
    finally:
        collector.close()


def test_spans_that_wait_are_sent_when_the_gateway_stops(
    serve: Serve, upstream: Upstream, collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    gateway = serve(config(upstream, otlp_endpoint=collector.url))
    gateway.chat("hi")
    assert collector.spans == []
    assert gateway.stop() == 0
    assert sorted(span.kind for span in collector.spans) == ["client", "server"]


def test_content_is_captured_only_when_it_is_switched_on(
    serve: Serve, upstream: Upstream, collector: OtlpReceiver
) -> None:
    gateway = serve(config(upstream, otlp_endpoint=collector.url, capture_content=True))
    gateway.chat("hi", stream=True)
    (client,) = collector.wait_for(lambda span: span.kind == "client")
    asked = json.loads(str(client.attributes["gen_ai.input.messages"]))
    answered = json.loads(str(client.attributes["gen_ai.output.messages"]))
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    assert answered[0]["parts"] == [{"type": "text", "content": "hello there"}]
    assert answered[0]["finish_reason"] == "stop"


def test_a_line_a_request_says_what_its_row_says(serve: Serve, upstream: Upstream, collector: OtlpReceiver) -> None:
    gateway = serve(config(upstream, otlp_endpoint=collector.url), api_key="sk-1")
    answer = gateway.chat("hi", model="auto", headers={"traceparent": CALLER})
    gateway.chat("hi", model="auto")
    gateway.chat("hi", model="nobody")
    gateway.chat("hi", headers={"authorization": "Bearer wrong"})
    ok, hit, unknown, refused = request_lines(gateway, 4)
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", ok.pop("at"))
    assert (ok.pop("ttft_ms"), ok.pop("total_ms")) == (round(row["ttft_ms"], 1), round(row["total_ms"], 1))
    assert ok == {
        "level": "info",
        "logger": "weighbridge.request",
        "message": "request",
        "status": 200,
        "outcome": "ok",
        "trace_id": CALLER.split("-")[1],
        "request_id": row["id"],
        "wire": "chat",
        "asked": "auto",
        "policy": "auto",
        "route": "small",
        "revision": row["revision"],
        "cache": "miss",
        "streamed": False,
        "input_tokens": 7,
        "output_tokens": 2,
        "cached_input_tokens": 0,
        "cost_nanousd": 11_000,
        "attempts": 1,
    }
    assert (hit["cache"], hit["cost_nanousd"], hit["attempts"]) == ("hit", 0, 0)
    assert (unknown["status"], unknown["outcome"], "route" in unknown) == (404, "model_not_found", False)
    assert (refused["status"], refused["outcome"]) == (401, "invalid_api_key")


def test_the_request_log_can_be_switched_off(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream, request_log=False))
    gateway.chat("hi")
    gateway.stop()
    assert "weighbridge.request" not in gateway.log.read_text()


def test_metrics_count_what_happened(serve: Serve, upstream: Upstream) -> None:
    routes = {"small": vllm_route(upstream.url), "gone": vllm_route("http://127.0.0.1:9")}
    gateway = serve({"routes": routes}, api_key="sk-1")
    gateway.chat("hi", stream=True)
    gateway.chat("hi", stream=True)
    upstream.behaviour = up.answers_json({}, 500)
    gateway.chat("ho")
    gateway.chat("hi", headers={"authorization": "Bearer wrong"})
    eventually(lambda: "\nweighbridge_requests_in_flight 0.0" in gateway.http.get("/metrics").text)
    text = gateway.http.get("/metrics").text
    for line in (
        'weighbridge_requests_total{cache="hit",outcome="ok",policy="pinned",route="small",wire="chat"} 1.0',
        'weighbridge_requests_total{cache="miss",outcome="ok",policy="pinned",route="small",wire="chat"} 1.0',
        'weighbridge_attempts_total{outcome="ok",route="small"} 1.0',
        'weighbridge_attempts_total{outcome="status",route="small"} 3.0',
        'weighbridge_retries_total{reason="status",route="small"} 2.0',
        'weighbridge_tokens_total{kind="input",route="small"} 7.0',
        'weighbridge_tokens_total{kind="output",route="small"} 2.0',
        'weighbridge_cost_nanousd_total{route="small"} 11000.0',
        'weighbridge_problems_total{code="invalid_api_key"} 1.0',
        'weighbridge_time_to_first_token_seconds_count{route="small"} 1.0',
        'weighbridge_request_duration_seconds_count{route="small"} 3.0',
        "weighbridge_requests_in_flight 0.0",
        'weighbridge_route_up{route="small"} 1.0',
        'weighbridge_route_up{route="gone"} 0.0',
        f'weighbridge_replica_up{{replica="{upstream.url}",route="small"}} 1.0',
        f'weighbridge_replica_ejected{{replica="{upstream.url}",route="small"}} 0.0',
        'weighbridge_replica_up{replica="http://127.0.0.1:9",route="gone"} 0.0',
    ):
        assert line in text.splitlines()


def test_a_valkey_that_fails_is_counted(serve: Serve, upstream: Upstream, tmp_path: Path) -> None:
    gateway = serve({**config(upstream), "cache": {"url": f"unix://{tmp_path}/nobody.sock"}})
    assert gateway.chat("hi").status_code == 200
    assert re.search("weighbridge_valkey_failures_total [1-9]", gateway.http.get("/metrics").text)
