"""Who is let in."""

import httpx

from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.upstream import Upstream

KEY = "sk-canary-4711"


def test_with_a_key_everything_but_health_needs_it(serve: Serve, upstream: Upstream) -> None:
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}}, api_key=KEY)
    assert gateway.chat("hi").status_code == 200
    for path in ("/v1/models", "/metrics", "/v1/scorecards", "/v1/requests/x", "/", "/nothing"):
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {KEY}"}):
            refused = httpx.get(gateway.url + path, headers=headers, timeout=30, trust_env=False)
            assert refused.status_code == 401, path
            assert refused.json()["error"]["code"] == "invalid_api_key"
            assert KEY not in refused.text
    with httpx.Client(base_url=gateway.url, timeout=30, trust_env=False) as http:
        assert http.get("/v1/models", headers={"x-api-key": KEY}).status_code == 200
        assert http.get("/health/live").status_code == 200
    assert KEY not in gateway.log.read_text()


def test_without_a_key_what_a_proxy_forwards_is_not_this_machine(gateway: Gateway) -> None:
    for name in ("x-forwarded-for", "forwarded"):
        refused = gateway.chat("hi", headers={name: "203.0.113.9"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "loopback_only")
