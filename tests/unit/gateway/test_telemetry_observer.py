"""A request is reported once, whichever comes first: the end of the answer or the end of its flight."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from backends.backend import Call
from backends.price import Price
from backends.route import Route
from gateway.ledger.events import Settled
from gateway.problem import Problem
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.observer import Observer
from gateway.telemetry.request_log import RequestLog

ROW = Settled(
    id="a", at=2.0, tenant="t", asked="auto", policy="auto", wire="chat", route="small", revision="r", outcome="ok",
    status=200, cache="miss", streamed=True, input_tokens=1, output_tokens=2, cached_input_tokens=0,
    usage_source="provider", cost_nanousd=3, ttft_ms=None, total_ms=2.04, attempts=[],
)  # fmt: skip
PROBLEM = Problem(502, "upstream_broken", "it broke")


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    os.set_blocking(ends[0], False)
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def lines(pipe: tuple[int, int]) -> Callable[[], list[dict[str, Any]]]:
    def read() -> list[dict[str, Any]]:
        try:
            return [json.loads(line) for line in os.read(pipe[0], 65536).splitlines()]
        except BlockingIOError:
            return []

    return read


@pytest.fixture
def observer(registry: CollectorRegistry, pipe: tuple[int, int]) -> Observer:
    return Observer(Metrics(registry), RequestLog(pipe[1]), None)


def test_a_flight_that_outlives_its_client_is_reported_when_it_settles(
    observer: Observer, lines: Callable[[], list[dict[str, Any]]], registry: CollectorRegistry
) -> None:
    observation = observer.begin([], "chat")
    observation.opened()
    assert registry.get_sample_value("weighbridge_requests_in_flight") == 1
    observation.ended()
    assert registry.get_sample_value("weighbridge_requests_in_flight") == 0
    assert lines() == []
    observation.settled(ROW)
    (line,) = lines()
    assert (line["outcome"], line["total_ms"], "ttft_ms" in line, "trace_id" in line) == ("ok", 2.0, False, False)


def test_a_settled_request_is_reported_when_its_last_byte_is_out(
    observer: Observer, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    observation = observer.begin([], "chat")
    observation.settled(ROW)
    assert lines() == []
    observation.ended()
    assert len(lines()) == 1


def test_what_never_went_upstream_is_reported_with_its_problem(
    observer: Observer, lines: Callable[[], list[dict[str, Any]]], registry: CollectorRegistry
) -> None:
    refused, left = observer.begin([], "chat"), observer.begin([], "chat")
    refused.failed(PROBLEM)
    refused.ended()
    left.ended()
    assert [(line["status"], line["outcome"]) for line in lines()] == [(502, "upstream_broken"), (499, "client_left")]
    assert registry.get_sample_value("weighbridge_problems_total", {"code": "upstream_broken"}) == 1


def test_without_spans_a_call_goes_on_as_it_is(observer: Observer) -> None:
    call = Call("chat", {}, stream=False)
    assert observer.begin([], "chat").onward(call, Route("small", "vllm", "m", Price())) is call


def test_a_log_that_nobody_reads_stops_nothing(registry: CollectorRegistry) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    observation = Observer(Metrics(registry), RequestLog(writer), None).begin([], "chat")
    observation.settled(ROW)
    observation.ended()
    os.close(writer)
