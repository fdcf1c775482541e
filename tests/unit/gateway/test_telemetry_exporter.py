"""The exporter against a real receiver: batches, a collector that comes and goes, nothing that grows without end."""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from gateway.telemetry.otlp import OtlpExporter
from gateway.telemetry.otlp_settings import OtlpSettings
from tests.fixtures.otlp_receiver import OtlpReceiver

TRACE = bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736")


class Running:
    """An exporter at work, and what it counted."""

    def __init__(self, url: str, *, every_s: float = 0.02, batch: int = 512, queue: int = 2048, **more: object) -> None:
        settings = OtlpSettings(url, every_s=every_s, batch=batch, queue=queue, **more)  # type: ignore[arg-type]
        self.counted: Counter[str] = Counter()
        self.exporter = OtlpExporter(settings, {"service.name": "test"}, "1", self._count)

    def _count(self, outcome: str, spans: int) -> None:
        self.counted[outcome] += spans

    def make(self, count: int = 1) -> int:
        """Spans that could be made."""
        made = 0
        for _ in range(count):
            span = self.exporter.new_span()
            if span is not None:
                made += 1
                span.name, span.trace_id, span.span_id = "s", TRACE, made.to_bytes(8)
        return made


@contextlib.asynccontextmanager
async def running(url: str, **settings: object) -> AsyncIterator[Running]:
    run = Running(url, **settings)  # type: ignore[arg-type]
    async with run.exporter.running():
        yield run


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 (a receiver in another thread sets no event)
            await asyncio.sleep(0.01)


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(body: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    return answer


@contextlib.asynccontextmanager
async def answering(answer: Answer) -> AsyncIterator[str]:
    """A receiver of few words."""
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_spans_come_with_headers_and_resource(collector: OtlpReceiver) -> None:
    async with running(collector.url + "/v1/traces", headers={"x-team": "us"}) as run:
        run.make(3)
        await until(lambda: len(collector.spans) == 3)
        await until(lambda: run.counted == {"exported": 3})
    (request,) = collector.requests
    assert (request[":path"], request["x-team"]) == ("/v1/traces", "us")
    assert request["content-type"] == "application/x-protobuf"
    assert collector.spans[0].resource == {"service.name": "test"}


async def test_a_batch_can_be_compressed(collector: OtlpReceiver) -> None:
    async with running(collector.url, gzip=True) as run:
        run.make(2)
        await until(lambda: len(collector.spans) == 2)
    assert collector.requests[0]["content-encoding"] == "gzip"


async def test_a_full_batch_does_not_wait_and_the_end_sends_the_rest(collector: OtlpReceiver) -> None:
    async with running(collector.url, every_s=60, batch=5) as run:
        run.make(5)
        await until(lambda: len(collector.spans) == 5)
        run.make(2)
        await asyncio.sleep(0.1)
        assert len(collector.spans) == 5
    assert len(collector.spans) == 7


async def test_without_a_collector_one_batch_waits_and_the_rest_is_not_even_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held = socket.socket()  # bound, so that nobody else takes its port, and not listening
    held.bind(("127.0.0.1", 0))
    port = held.getsockname()[1]
    async with running(f"http://127.0.0.1:{port}/v1/traces?token=secret") as run:
        run.make(2)
        await until(lambda: len(caplog.records) == 1)
        await until(lambda: run.make() == 0)
        lost = run.counted["dropped"]
        held.close()
        collector = OtlpReceiver(port)
        try:
            await until(lambda: run.counted["exported"] >= 2)
            await until(lambda: len(caplog.records) == 2)
        finally:
            collector.close()
    assert len(collector.spans) >= 2
    assert lost >= 1
    down, up = caplog.records
    assert (down.levelno, "cannot be exported" in down.message) == (logging.WARNING, True)
    assert "exported again" in up.message and vars(up)["dropped"] >= lost
    assert "secret" not in str(vars(down))


async def test_a_busy_collector_gets_the_batch_again(collector: OtlpReceiver) -> None:
    collector.status = 503
    async with running(collector.url) as run:
        run.make(4)
        await until(lambda: len(collector.requests) >= 2)
        collector.status = 200
        await until(lambda: run.counted["exported"] == 4)
    assert len(collector.spans) == 4


async def test_what_the_collector_refuses_is_not_sent_again_and_is_said_once(
    collector: OtlpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    collector.status = 400
    async with running(collector.url) as run:
        for batch in range(1, 4):
            run.make(2)
            await until(lambda batch=batch: len(collector.requests) == batch)  # type: ignore[misc]
        await until(lambda: run.counted["dropped"] == 6)
    assert len(caplog.records) == 1


async def test_a_collector_that_does_not_answer_holds_nothing_up() -> None:
    asked = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.set()
        await reader.read()
        writer.close()

    async with answering(hang) as url, running(url, queue=10, timeout_s=60) as run:
        run.make(1)
        await asked.wait()
        assert run.make(100) == 10
        assert run.counted == {"dropped": 90}


async def test_what_a_collector_rejects_is_said(caplog: pytest.LogCaptureFixture) -> None:
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = 1
    async with answering(says(response.SerializeToString())) as url, running(url) as run:
        run.make(1)
        await until(lambda: len(caplog.records) == 1)
    assert "rejected" in caplog.text


async def test_a_receiver_that_answers_with_words_has_the_spans() -> None:
    async with answering(says(b"taken")) as url, running(url) as run:
        run.make(1)
        await until(lambda: run.counted == {"exported": 1})
