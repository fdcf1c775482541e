"""Headers and keys as no honest client writes them."""

import json

import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.keys import ADMIN_KEY, OWN_KEY, Admin
from tests.fixtures.upstream import Upstream
from tests.integration.safety.conftest import Raw

HIDDEN = "0\r\n\r\nGET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
BODY = json.dumps({"model": "small", "messages": [{"role": "user", "content": "hi"}]})
HEAD = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
AUTH = f"authorization: Bearer {OWN_KEY}\r\n"
LENGTH = f"content-length: {len(BODY)}\r\n"


@pytest.mark.parametrize(
    "smuggling",
    [
        f"content-length: {len(BODY)}\r\ncontent-length: 3\r\n\r\n{BODY}",
        f"content-length: {len(BODY)}\r\ntransfer-encoding: chunked\r\n\r\n{HIDDEN}",
        f"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n{HIDDEN}",
        f"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{BODY}",
        f"transfer-encoding: xchunked\r\n\r\n{BODY}",
        f"content-length: +{len(BODY)}\r\n\r\n{BODY}",
        f"content-length: 0x{len(BODY):x}\r\n\r\n{BODY}",
        f"content-length: -1\r\n\r\n{BODY}",
        f"content-length : {len(BODY)}\r\n\r\n{BODY}",
        f"{LENGTH}x-nul: a\0b\r\n\r\n{BODY}",
        f"{LENGTH}x bad name: 1\r\n\r\n{BODY}",
    ],
)
def test_what_two_servers_could_read_in_two_ways_is_refused(raw: Raw, upstream: Upstream, smuggling: str) -> None:
    said = raw(HEAD + AUTH + smuggling)
    assert said.status == 400, said
    assert said.text.count("HTTP/1.1") == 1
    assert upstream.received == []


def test_a_request_hidden_in_a_body_is_not_answered(raw: Raw, upstream: Upstream) -> None:
    hidden = f"GET /v1/models HTTP/1.1\r\nhost: x\r\n{AUTH}\r\n"
    said = raw(f"{HEAD}{AUTH}content-length: {len(BODY)}\r\n\r\n{BODY}{hidden}")
    assert said.status == 200
    assert said.text.count("HTTP/1.1") == 1
    assert len(upstream.received) == 1


@pytest.mark.parametrize(
    "name", ["traceparent", "tracestate", "anthropic-beta", "x-session-id", "x-weighbridge-language", "user-agent"]
)
@pytest.mark.parametrize("value", ["a\r\n x-evil: 1", "a\nx-evil: 1", "a\rx-evil: 1", "a\r\nx-evil: 1\r\n"])
def test_no_header_writes_another_one(raw: Raw, upstream: Upstream, name: str, value: str) -> None:
    said = raw(f"{HEAD}{AUTH}{LENGTH}{name}: {value}\r\n\r\n{BODY}")
    assert said.status in (200, 400), said
    assert "x-evil" not in said.text
    for received in upstream.received:
        assert "x-evil" not in received.headers


@pytest.mark.parametrize("field", ["model", "user", "session_id"])
def test_no_value_writes_a_header(guarded: Gateway, upstream: Upstream, field: str) -> None:
    evil = "small\r\nx-evil: 1\r\n\r\n<script>"
    metadata = {"session_id": evil} if field == "session_id" else {}
    more = {field: evil} if field != "session_id" else {}
    answer = guarded.chat(metadata=metadata, **more)
    assert "x-evil" not in answer.headers
    assert all("x-evil" not in received.headers for received in upstream.received)


def test_of_two_keys_the_first_counts_and_it_alone(raw: Raw, guarded: Gateway) -> None:
    wrong = "authorization: Bearer wrong\r\n"
    assert raw(f"{HEAD}{wrong}{AUTH}{LENGTH}\r\n{BODY}").status == 401
    assert raw(f"{HEAD}{wrong}x-api-key: {OWN_KEY}\r\n{LENGTH}\r\n{BODY}").status == 401
    assert raw(f"{HEAD}{AUTH}{wrong}{LENGTH}\r\n{BODY}").status == 200


def _lookalikes(key: str) -> list[bytes]:
    plain = key.encode()
    others = [
        key.replace("r", "\u043e").encode(),  # Cyrillic
        key.replace("a", "\u0251").encode(),
        f"\u202e{key}".encode(),  # right to left
        f"{key}\u200b".encode(),
        f"\ufeff{key}".encode(),
        key.upper().encode(),
        plain + b"\xff",
        b"\xc0" + plain,
        plain[:-1],
        plain + plain,
        b"",
        b"*",
        b"%",
        b"null",
        b"undefined",
        b"Bearer " + plain,
    ]
    return [other for other in others if other != plain]


SQL = ["' OR '1'='1", "'; DROP TABLE keys; --", "wb-' UNION SELECT key FROM keys --", 'wb-" OR ""="', "wb-%", "%_"]


@pytest.mark.parametrize("which", ["own", "virtual", "admin"])
def test_a_key_is_its_bytes_and_nothing_like_them(raw: Raw, guarded: Gateway, which: str) -> None:
    key = {"own": OWN_KEY, "admin": ADMIN_KEY}.get(which) or str(Admin(guarded).create("twin")["key"])
    path = b"GET /admin/keys" if which == "admin" else b"GET /v1/models"
    head = path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    assert raw(head + b"authorization: Bearer " + key.encode() + b"\r\n\r\n").status == 200
    for other in [*_lookalikes(key), *(text.encode() for text in SQL)]:
        for name in (b"authorization: Bearer ", b"x-api-key: "):
            said = raw(head + name + other + b"\r\n\r\n")
            assert said.status in (400, 401), (other, said)


@pytest.mark.parametrize("text", SQL)
def test_no_text_of_a_client_is_a_query(guarded: Gateway, text: str) -> None:
    admin = Admin(guarded)
    made = admin.create("victim")
    for field in ("owner", "team", "customer"):
        assert admin.ask("POST", "keys", json={"owner": "x", field: text}).status_code == 400
    listed = admin.ask("GET", "keys").json()["keys"]
    assert guarded.http.get(f"/v1/requests/{text.replace('%', '%25')}").status_code == 404
    assert guarded.http.get("/v1/requests", params={"session": text}).json()["requests"] == []
    answer = guarded.chat(metadata={"session_id": text})
    assert guarded.ledger(answer.headers["x-weighbridge-request-id"])["outcome"] == "ok"
    assert admin.ask("POST", f"keys/{made['id']}' OR '1'='1/revoke").status_code == 404
    assert len(admin.ask("GET", "keys").json()["keys"]) == len(listed)
