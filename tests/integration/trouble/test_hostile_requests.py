"""Row "100 MB body; deep nesting; a million keys; 10,000 idle connections; a byte a second".

The client sees 413 / 400 / 400; is held; is dropped. Nothing is sent upstream, and nothing billed.
"""

import json
import resource
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from gateway.api.body import MOST_FIELDS, MOST_KEYS
from gateway.processes.http_protocol import MAX_HEAD_BYTES
from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.spoken import WIRES, Spoken
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import LONG_S

MEGABYTE = b" " * 2**20
RECEIVE_S = 1.0


@pytest.fixture(scope="module")
def impatient(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {"routes": {"small": vllm_route(upstream_server.url)}, "limits": {"receive_s": RECEIVE_S}}
    gateway = start_gateway(tmp_path_factory.mktemp("impatient"), config)
    yield gateway
    assert gateway.stop() == 0


def is_refused(gateway: Gateway, upstream: Upstream, answer: httpx.Response, wire: Spoken, status: int) -> None:
    """In the wire's own shape, and nothing was sent upstream or billed: there is no row to ask for."""
    kinds = {400: {"invalid_request_error"}, 413: {"invalid_request_error", "request_too_large"}}
    assert answer.status_code == status, answer.text
    assert wire.error(answer)["type"] in kinds[status]
    assert "x-weighbridge-request-id" not in answer.headers
    assert upstream.received == []
    assert gateway.http.get("/health/live").status_code == 200


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_of_100_mb_is_413(troubled: Gateway, upstream: Upstream, wire: Spoken, announced: bool) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(100):
            yield MEGABYTE

    headers = {"content-length": str(100 * len(MEGABYTE))} if announced else {}
    answer = troubled.http.post(wire.path, content=parts(), headers=headers)
    is_refused(troubled, upstream, answer, wire, 413)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'], ids=["arrays", "objects"])
def test_deep_nesting_is_400(troubled: Gateway, upstream: Upstream, wire: Spoken, opening: bytes) -> None:
    for within in (b'{"model":"one","messages":%b', b'{"model":"one","metadata":{"x":%b', b"%b"):
        answer = troubled.http.post(wire.path, content=within % (opening * 100_000))
        is_refused(troubled, upstream, answer, wire, 400)


def test_nesting_as_deep_as_just_can_be_read_fails_nowhere_else(
    troubled: Gateway, upstream: Upstream, wire: Spoken
) -> None:
    upstream.behaviour = wire.says()
    for depth in range(850, 1010, 10):
        nested = b"[" * depth + b"]" * depth
        for field in (b"messages", b"tools", b"metadata", b"stop", b"system"):
            answer = troubled.http.post(wire.path, content=b'{"model":"one","max_tokens":9,"%b":%b}' % (field, nested))
            assert answer.status_code in (200, 400), (depth, field, answer.text)


@pytest.mark.parametrize(
    ("where", "colon"),
    [("{}", ":"), ('{{"model":"small","messages":[{}]}}', " : "), ('{{"model":"small","metadata":{}}}', ":")],
    ids=["fields", "messages", "metadata"],
)
def test_a_million_keys_are_400(
    common_roomy_gateway: Gateway, upstream: Upstream, wire: Spoken, where: str, colon: str
) -> None:
    keys = "{" + ",".join(f'"{number}"{colon}0' for number in range(1_000_000)) + "}"
    answer = common_roomy_gateway.http.post(wire.path, content=where.format(keys).encode())
    is_refused(common_roomy_gateway, upstream, answer, wire, 400)


def test_many_fields_are_400_and_quotations_in_a_text_are_no_keys(
    common_roomy_gateway: Gateway, upstream: Upstream, wire: Spoken
) -> None:
    fields = {f"field{number}": 0 for number in range(MOST_FIELDS)}
    answer = common_roomy_gateway.http.post(wire.path, json={"model": "small", **fields})
    is_refused(common_roomy_gateway, upstream, answer, wire, 400)
    upstream.behaviour = wire.says()
    quoted = json.dumps({str(number): number for number in range(2 * MOST_KEYS)})
    assert wire.ask(common_roomy_gateway, quoted, stream=False, model="small").status_code == 200


@pytest.fixture(scope="module")
def common_roomy_gateway(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With the limit of 32 MiB that there is by default."""
    gateway = start_gateway(tmp_path_factory.mktemp("roomy"), {"routes": {"small": vllm_route(upstream_server.url)}})
    yield gateway
    assert gateway.stop() == 0


def connected(gateway: Gateway) -> socket.socket:
    host, _, port = gateway.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=LONG_S)


def hold_idle(gateway: Gateway, count: int) -> None:
    """So many connections that say nothing: everybody else is served, and each of them can still be used."""
    with ExitStack() as idle:
        held = [idle.enter_context(connected(gateway)) for _ in range(count)]
        assert gateway.http.get("/health/live").status_code == 200
        assert gateway.chat("hi").status_code == 200
        for connection in (held[0], held[-1]):
            connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
            assert connection.recv(1024).startswith(b"HTTP/1.1 200 ")


def test_a_thousand_idle_connections_are_held(common_roomy_gateway: Gateway, upstream: Upstream) -> None:
    hold_idle(common_roomy_gateway, 1_000)


def test_a_worker_opens_as_many_files_as_it_may(tmp_path: Path, upstream: Upstream) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, before[1]), before[1]))  # what shells start with
    try:
        gateway = start_gateway(tmp_path, {"routes": {"small": vllm_route(upstream.url)}})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    try:
        limits = (Path("/proc") / str(gateway.worker()) / "limits").read_text()
        (files,) = (line.split() for line in limits.splitlines() if line.startswith("Max open files"))
        assert files[3:5] == [str(before[1])] * 2
    finally:
        gateway.stop()


@pytest.mark.full
def test_ten_thousand_idle_connections_are_held(common_roomy_gateway: Gateway, upstream: Upstream) -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit < 10_500:
        pytest.skip(f"a process may open {limit} files here, and this needs 10,500")
    hold_idle(common_roomy_gateway, 10_000)


SLOW = {
    "head": b"POST %b HTTP/1.1\r\nhost: x\r\nx-slow: ",
    "body": b'POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n{"model": "',
    "chunked": b"POST %b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
    "elsewhere": b"POST /v1/nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n",
}
CHUNK = b"1\r\nx\r\n"


def dribble(gateway: Gateway, path: str, what: str) -> bytes:
    """What is said until the connection is over."""
    said = b""
    with connected(gateway) as connection:
        connection.sendall(SLOW[what].replace(b"%b", path.encode()))
        deadline = time.monotonic() + LONG_S
        connection.settimeout(0.1)
        while time.monotonic() < deadline:
            try:
                connection.sendall(CHUNK if what == "chunked" else b"x")
                part = connection.recv(4096)
            except TimeoutError:
                continue
            except ConnectionError:
                return said  # reset while something was still being sent
            if not part:
                return said
            said += part
    raise AssertionError("the connection is still there")


def test_whoever_sends_a_byte_at_a_time_is_dropped(impatient: Gateway, upstream: Upstream) -> None:
    """In the middle of a head without a word; a body that does not come is told 408, or 404 where nobody reads."""
    every = [(wire.path, what) for wire in WIRES.values() for what in SLOW]
    with ThreadPoolExecutor(len(every)) as threads:
        said = dict(zip(every, threads.map(lambda each: dribble(impatient, *each), every), strict=True))
    for wire in WIRES.values():
        assert said[wire.path, "head"] == b""
        assert said[wire.path, "body"].startswith(b"HTTP/1.1 408 ")
        assert said[wire.path, "chunked"].startswith(b"HTTP/1.1 408 ")
        assert said[wire.path, "elsewhere"].startswith(b"HTTP/1.1 404 ")
    assert upstream.received == []


def test_a_head_without_end_is_431(impatient: Gateway, upstream: Upstream, wire: Spoken) -> None:
    with connected(impatient) as connection:
        connection.sendall(f"POST {wire.path} HTTP/1.1\r\nhost: x\r\n".encode())
        line = b"x-filler: " + b"x" * 8192 + b"\r\n"
        for _ in range(MAX_HEAD_BYTES // len(line) + 2):
            connection.sendall(line)
        assert connection.recv(1024).startswith(b"HTTP/1.1 431 ")
    assert upstream.received == []


def test_slow_but_in_time_is_served(common_roomy_gateway: Gateway, upstream: Upstream, wire: Spoken) -> None:
    upstream.behaviour = wire.says()
    content = json.dumps(wire.body(common_roomy_gateway, "slowly", stream=False, model="small")).encode()
    head = f"POST {wire.path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(content)}\r\n\r\n".encode()
    whole = head + content
    with connected(common_roomy_gateway) as connection:
        for start in range(0, len(whole), 40):
            connection.sendall(whole[start : start + 40])
            time.sleep(0.01)
        assert connection.recv(1024).startswith(b"HTTP/1.1 200 ")
