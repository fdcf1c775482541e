"""Whoever has no key gets nowhere, however the request is written."""

import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.keys import OWN_KEY, Admin
from tests.fixtures.upstream import Upstream
from tests.integration.safety.conftest import Raw

GUARDED = ("/v1/models", "/metrics", "/admin/keys", "/v1/scorecards", "/v1/policies", "/v1/requests/x", "/")


@pytest.mark.parametrize(
    "path", [*GUARDED, "/docs", "/redoc", "/openapi.json", "/v1/watch", "/v1/responses/x", "/nope"]
)
def test_nothing_but_health_is_open(raw: Raw, path: str) -> None:
    assert raw(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").status in (401, 403)


@pytest.mark.parametrize("host", ["x/health/live?", "x/health/live#", "localhost", "127.0.0.1", "[::1]", ""])
def test_a_host_header_opens_nothing(raw: Raw, host: str) -> None:
    for path in GUARDED:
        said = raw(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
        assert said.status in (400, 401, 403), (path, said)


@pytest.mark.parametrize(
    "target",
    [
        "//metrics",
        "/health/live/../../metrics",
        "/health/live/..%2f..%2fmetrics",
        "/health%2flive%2f..%2f..%2fmetrics",
        "/health/live/..;/..;/metrics",
        "/health/live;/../../metrics",
        "/health/live%00/metrics",
        "/metrics/",
        "/metrics?x=/health/live",
        "/metrics%3f/health/live",
        "http://x/metrics",
        "http://x/health/live/../../metrics",
        "/health/live\\..\\..\\metrics",
        "/%2e%2e/metrics",
        "//health/live//..//metrics",
        "/admin/keys/",
        "//admin/keys",
        "/%61dmin/keys",
        "/ADMIN/keys",
        "/v1/models/../../admin/keys",
        "/v1/models/..;/..;/admin/keys",
        "*",
    ],
)
def test_no_way_of_writing_a_path_leads_past_the_gate(raw: Raw, target: str) -> None:
    said = raw(f"GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert said.status in (400, 401, 403, 404), said
    assert "weighbridge_" not in said.text
    assert "key_" not in said.text


@pytest.mark.parametrize("target", ["/v1/models/../../metrics", "/v1/requests/..%2f..%2fmetrics", "/v1/models/..;/"])
def test_a_virtual_key_gets_no_further_by_a_path(raw: Raw, guarded: Gateway, target: str) -> None:
    key = Admin(guarded).create("walker")["key"]
    said = raw(f"GET {target} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n")
    assert said.status == 404, said
    assert "weighbridge_" not in said.text


@pytest.mark.parametrize("name", ["x-http-method-override", "x-http-method", "x-method-override"])
def test_the_method_is_the_one_in_the_request_line(raw: Raw, guarded: Gateway, name: str) -> None:
    made = Admin(guarded).create("override")
    head = f"host: x\r\nauthorization: Bearer {OWN_KEY}\r\nconnection: close\r\n"
    said = raw(f"GET /v1/chat/completions HTTP/1.1\r\n{head}{name}: POST\r\n\r\n")
    assert said.status == 405
    refused = raw(f"GET /admin/keys/{made['id']}/revoke HTTP/1.1\r\n{head}{name}: POST\r\n\r\n")
    assert refused.status == 401  # the gateway's own key is not the admin's
    listed = Admin(guarded).ask("GET", "keys").json()["keys"]
    assert next(key for key in listed if key["id"] == made["id"])["revoked_at"] is None


def test_a_trailing_slash_reaches_no_upstream(raw: Raw, guarded: Gateway, upstream: Upstream) -> None:
    body = '{"model": "small", "messages": []}'
    for path in ("/v1/chat/completions/", "/v1/chat/completions//", "//v1/chat/completions"):
        said = raw(
            f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {OWN_KEY}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n{body}"
        )
        assert said.status == 404, said
        assert "location" not in said.text.lower()
    assert upstream.received == []
