"""A gateway with keys, attacked over raw sockets: what no client library would send."""

import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.fixtures import upstream as up
from tests.fixtures.canary import PROMPT
from tests.fixtures.gateway import Gateway, start_gateway
from tests.fixtures.keys import OWN_KEY, with_keys
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import LONG_S


@dataclass(frozen=True)
class Said:
    """What came back before the connection ended, or the answer did. ``status`` 0: nothing."""

    status: int
    text: str


Raw = Callable[[bytes | str], Said]


@pytest.fixture(scope="session")
def guarded_gateway(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = with_keys(upstream_server.url, limits={"max_body_bytes": 3_000_000, "media_hosts": ["images.example.com"]})
    gateway = start_gateway(tmp_path_factory.mktemp("guarded"), config, api_key=OWN_KEY)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def guarded(guarded_gateway: Gateway, upstream: Upstream, request: pytest.FixtureRequest) -> Gateway:
    guarded_gateway.topic = f"{request.node.name[:80]} {PROMPT}: "
    upstream.behaviour = up.says("fine")
    return guarded_gateway


@pytest.fixture
def raw(guarded: Gateway) -> Raw:
    """``raw(bytes)``: one exchange on a connection of its own, which the gateway is to close."""
    host, _, port = guarded.url.removeprefix("http://").rpartition(":")

    def exchange(request: bytes | str) -> Said:
        with socket.create_connection((host, int(port)), timeout=LONG_S) as connection:
            connection.sendall(request.encode("latin-1") if isinstance(request, str) else request)
            return _said(b"".join(iter(lambda: connection.recv(65536), b"")))

    return exchange


def _said(answer: bytes) -> Said:
    text = answer.decode("utf-8", "replace")
    found = re.match(r"HTTP/1\.1 (\d{3})", text)
    return Said(int(found[1]) if found else 0, text)
