"""Row "more requests than can be served": a bounded queue, then 503 with Retry-After; liveness is told throughout."""

import asyncio
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.fixtures.gateway import Gateway, posted, start_gateway, vllm_route
from tests.fixtures.http1 import read_request
from tests.fixtures.spoken import CHAT, MESSAGES, Spoken
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually
from tests.fixtures.wire_server import serving

ACTIVE, QUEUE = 3, 2
FLOOD = 2_000
SHAPES: dict[str, dict[str, str | None]] = {
    CHAT.path: {"type": "upstream_error", "code": "gateway_overloaded", "param": None},
    MESSAGES.path: {"type": "overloaded_error"},
}


@pytest.fixture(scope="module")
def narrow(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    limits = {"active": ACTIVE, "queue": QUEUE, "queue_s": 120}
    config = {"routes": {"small": vllm_route(upstream_server.url)}, "limits": limits}
    gateway = start_gateway(tmp_path_factory.mktemp("narrow"), config)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def gateway(narrow: Gateway, upstream: Upstream, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    narrow.topic = f"{request.node.name}: "
    yield narrow
    eventually(lambda: measured(narrow, "in_flight") == 0)


def measured(gateway: Gateway, which: str) -> float:
    found = re.search(rf"^weighbridge_requests_{which} (\S+)$", gateway.http.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found is not None else 0.0


def wait_in_line(gateway: Gateway, clients: ExitStack, count: int) -> None:
    """One after the other, so that each is in its place."""
    before = measured(gateway, "in_flight")
    for number in range(count):
        asked = CHAT.body(gateway, f"{uuid.uuid4()}", stream=True, model="small")  # nobody's flight is joined
        clients.enter_context(posted(gateway, asked))
        eventually(lambda number=number: measured(gateway, "in_flight") == before + number + 1)  # type: ignore[misc]


def test_beyond_the_queue_it_is_503_with_a_wait_and_no_row(gateway: Gateway, upstream: Upstream, wire: Spoken) -> None:
    upstream.behaviour = CHAT.stalls()
    with ExitStack() as clients:
        wait_in_line(gateway, clients, ACTIVE + QUEUE)
        assert measured(gateway, "waiting") == QUEUE
        for stream in (False, True):
            refused = wire.ask(gateway, "one too many", stream=stream, model="small")
            assert refused.status_code == 503
            assert int(refused.headers["retry-after"]) >= 1
            said = wire.error(refused)
            assert {name: said[name] for name in SHAPES[wire.path]} == SHAPES[wire.path]
            assert "x-weighbridge-request-id" not in refused.headers
        assert len(upstream.received) == ACTIVE
        assert gateway.http.get("/health/live").status_code == gateway.http.get("/health/ready").status_code == 200


def test_a_turn_comes_in_order_and_whoever_leaves_frees_its_place(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = CHAT.stalls()
    with ExitStack() as served, ExitStack() as impatient:
        wait_in_line(gateway, served, ACTIVE)
        with ExitStack() as waiting:
            wait_in_line(gateway, impatient, 1)
            wait_in_line(gateway, waiting, 1)
            impatient.close()
            eventually(lambda: measured(gateway, "waiting") == 1)
            wait_in_line(gateway, waiting, 1)
            assert measured(gateway, "waiting") == QUEUE
            upstream.behaviour = CHAT.says()
            served.close()
            upstream.wait_for(ACTIVE + 2)
            eventually(lambda: measured(gateway, "waiting") == 0)
    assert CHAT.ask(gateway, "room again", stream=False, model="small").status_code == 200


async def silent_model(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """It is up, and never answers."""
    while request := await read_request(reader):
        if request.startswith(b"POST"):
            await reader.read()
            return
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n{"version":"1"}')
        await writer.drain()


async def test_liveness_is_told_throughout_a_flood(tmp_path: Path) -> None:
    async with serving(silent_model) as model:
        limits = {"active": FLOOD // 2, "queue": FLOOD // 4, "queue_s": 120}
        config = {"routes": {"small": vllm_route(model.url)}, "limits": limits}
        gateway = await asyncio.to_thread(start_gateway, tmp_path, config)
        try:
            await _flood(gateway)
        finally:
            assert await asyncio.to_thread(gateway.stop) == 0


async def _flood(gateway: Gateway) -> None:
    host, _, port = gateway.url.removeprefix("http://").rpartition(":")
    writers: list[asyncio.StreamWriter] = []
    refused = asyncio.Queue[bytes]()

    async def ask(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        writers.append(writer)
        body = b'{"model":"small","stream":true,"messages":[{"role":"user","content":"%d"}]}' % number
        writer.write(b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (CHAT.path.encode(), len(body)))
        writer.write(body)
        if line := await reader.readline():
            refused.put_nowait(line)

    asking = [asyncio.create_task(ask(number)) for number in range(FLOOD)]
    try:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30, trust_env=False) as client:
            while refused.qsize() < FLOOD // 4:
                assert (await client.get("/health/live")).status_code == 200
            assert (await client.get("/health/live")).status_code == 200
        assert all(refused.get_nowait().startswith(b"HTTP/1.1 503 ") for _ in range(refused.qsize()))
    finally:
        for writer in writers:
            writer.transport.abort()
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
