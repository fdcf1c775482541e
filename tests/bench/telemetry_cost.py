"""What telemetry costs a request, in microseconds of CPU: ``python -m tests.bench.telemetry_cost``.

Each figure is the best of many short rounds, so that a busy machine spoils it least. Nothing is sent: the spans of a
round are encoded to the bytes that a collector would get. Beside ours stand two bare spans made by the SDK's objects,
with as many attributes and not encoded. Metrics are kept in files, as in a serving worker.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import msgspec
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, set_span_in_context
from prometheus_client import CollectorRegistry

from backends.backend import Call
from backends.price import Price
from backends.route import Route
from gateway.ledger.events import AttemptDetail, Settled
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.otlp import OtlpExporter
from gateway.telemetry.otlp_settings import OtlpSettings
from gateway.telemetry.request_log import RequestLog
from gateway.telemetry.tracer import Tracer

REQUESTS, ROUNDS = 128, 80
ROUTE = Route("small", "vllm", "m", Price(), replicas=("http://127.0.0.1:8000",))
CALL = Call("chat", {"messages": msgspec.Raw(b"[]")}, stream=True)
PIECES = [b'data: {"id":"chatcmpl-1","model":"m","choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'] * 66
HEADERS = [
    (b"host", b"127.0.0.1"),
    (b"authorization", b"Bearer k"),
    (b"content-type", b"application/json"),
    (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
]


def best_us(work: Callable[[], object], after: Callable[[], object] = lambda: None) -> float:
    """``after`` ends each round, and is a part of it."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(REQUESTS):
            work()
        after()
        seconds.append(time.thread_time() - began)
    return min(seconds) / REQUESTS * 1e6


def settled() -> Settled:
    attempt = AttemptDetail("small", "http://127.0.0.1:8000", "abcdef012345", "ok", 30.0, None, 11_000)
    return Settled(
        id="0" * 32, at=time.time(), tenant="local", asked="auto", policy="auto", wire="chat", route="small",
        revision="abcdef012345", outcome="ok", status=200, cache="miss", streamed=True, input_tokens=512,
        output_tokens=64, cached_input_tokens=0, usage_source="provider", cost_nanousd=11_000, ttft_ms=12.0,
        total_ms=33.0, attempts=[attempt],
    )  # fmt: skip


def metrics_us(row: Settled) -> float:
    metrics = Metrics(CollectorRegistry())

    def count() -> None:
        metrics.in_flight.inc()
        metrics.settled(row)
        metrics.in_flight.dec()

    return best_us(count)


def log_us(row: Settled) -> float:
    log = RequestLog(os.open(os.devnull, os.O_WRONLY))
    return best_us(lambda: log.write(row, None, "4bf92f3577b34da6a3ce929d0e0e4736"))


async def spans_us(row: Settled) -> float:
    provider = TracerProvider(shutdown_on_exit=False)
    settings = OtlpSettings("http://127.0.0.1", queue=10 * REQUESTS)
    exporter = OtlpExporter(settings, provider.resource.attributes, "0", lambda *_: None)
    tracer = Tracer(provider, exporter.new_span, capture_content=False)

    def request() -> None:
        trace = tracer.begin(HEADERS, "chat")
        call = trace.onward(CALL, ROUTE)
        tracer.end(trace, time.time_ns(), row, None, (call, PIECES))

    return best_us(request, exporter.take)


def sdk_us() -> float:
    """The SDK's way, as far as its encoder: two spans with 13 and 15 attributes."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("bench")
    early, late, answered = ({f"{kind}.{n}": "value" for n in range(7)} for kind in "abc")

    def request() -> None:
        server = tracer.start_span("server", kind=SpanKind.SERVER, attributes=early)
        client = tracer.start_span("client", set_span_in_context(server), SpanKind.CLIENT, attributes=early)
        client.set_attributes(late)
        client.end()
        server.set_attributes(answered)
        server.end()

    return best_us(request)


async def main() -> None:
    row = settled()
    for name, cost in (
        ("metrics", metrics_us(row)),
        ("a log line", log_us(row)),
        ("two spans, encoded", await spans_us(row)),
        ("two spans of the SDK, not encoded", sdk_us()),
    ):
        print(f"{name:36}{cost:6.1f} us")  # noqa: T201


if __name__ == "__main__":
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:  # read when the client is imported
        with tempfile.TemporaryDirectory() as folder:
            again = [sys.executable, "-m", "tests.bench.telemetry_cost"]
            sys.exit(subprocess.call(again, env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder}))
    asyncio.run(main())
