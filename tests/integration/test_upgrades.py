"""Clients that offer, or ask for, another protocol than HTTP/1.1."""

import json
import socket

import pytest

from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import LONG_S

KEY = "sk-canary-4712"
HANDSHAKE = (
    "connection: keep-alive, Upgrade\r\nupgrade: {}\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
OFFER = "connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n"


class Connection:
    """A client that sends exact bytes."""

    def __init__(self, gateway: Gateway) -> None:
        host, _, port = gateway.url.removeprefix("http://").rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=LONG_S)
        self._file = self._socket.makefile("rb")

    def ask(self, line: str, headers: str, *parts: bytes) -> tuple[int, dict[str, str], bytes]:
        """The first part of the body leaves together with the head."""
        length = f"content-length: {sum(map(len, parts))}\r\n" if parts else ""
        head = f"{line} HTTP/1.1\r\nhost: x\r\n{headers}{length}\r\n".encode()
        for part in (head + b"".join(parts[:1]), *parts[1:]):
            self._socket.sendall(part)
        status = int(self._file.readline().split()[1])
        answered = {}
        while header := self._file.readline().strip():
            name, _, value = header.decode().partition(":")
            answered[name.lower()] = value.strip()
        return status, answered, self._file.read(int(answered["content-length"]))

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/models", "/v1/realtime?model=small", "/"])
@pytest.mark.parametrize("asked", ["websocket", "WebSocket"])
def test_a_websocket_is_refused_so_that_the_client_falls_back(gateway: Gateway, path: str, asked: str) -> None:
    connection = Connection(gateway)
    status, headers, body = connection.ask(f"GET {path}", HANDSHAKE.format(asked))
    assert status == 426
    assert headers["upgrade"] == "HTTP/1.1"
    error = json.loads(body)["error"]
    assert error["code"] == "websocket_not_supported"
    assert "POST" in error["message"]
    assert connection.ask("GET /v1/models", "")[0] == 200
    connection.close()


def test_a_websocket_needs_the_key_first(serve: Serve, upstream: Upstream) -> None:
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}}, api_key=KEY)
    for key, status in (("wrong", 401), (KEY, 426)):
        connection = Connection(gateway)
        headers = HANDSHAKE.format("websocket") + f"authorization: Bearer {key}\r\n"
        assert connection.ask("GET /v1/responses", headers)[0] == status
        connection.close()


def test_an_offer_of_http_2_is_passed_over(gateway: Gateway, upstream: Upstream) -> None:
    """As Java's own client makes it with each first request."""
    body = json.dumps({"model": "small", "messages": gateway.messages("hi")}).encode()
    connection = Connection(gateway)
    for _ in range(2):
        status, _, answer = connection.ask("POST /v1/chat/completions", OFFER, body)
        assert (status, json.loads(answer)["choices"][0]["message"]["content"]) == (200, "hello there")
    connection.close()


def test_a_body_that_looks_like_such_an_offer_stays_as_it_is(gateway: Gateway, upstream: Upstream) -> None:
    fields = {"model": "small", "messages": gateway.messages("hi"), "note": "h2c"}
    body = json.dumps(fields).encode().replace(b'"note"', b'\r\nupgrade: h2c\r\n"note"')
    connection = Connection(gateway)
    for parts in ((body,), (b"", body), (body[:1], body[1:])):
        status, _, answer = connection.ask("POST /v1/chat/completions", "", *parts)
        assert (status, json.loads(answer)["error"]["code"]) == (400, "invalid_json")
    spaced = json.dumps(fields).encode().replace(b'"note"', b'\r\n\r\n"note"')
    assert connection.ask("POST /v1/chat/completions", OFFER, spaced)[0] == 200
    assert upstream.received[-1].json["note"] == "h2c"
    connection.close()
