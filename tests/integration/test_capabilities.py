"""A request is never sent to a route that declares it lacks what the request asks for."""

from typing import Any

from tests.fixtures.gateway import Serve, vllm_route
from tests.fixtures.upstream import Upstream

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {}}}]


def asked(model: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}


def test_tools_go_where_they_can_be_used(serve: Serve, upstream: Upstream) -> None:
    cheap = {**vllm_route(upstream.url), "capabilities": {"tools": False}, "max_output_tokens": 100}
    dear = {**vllm_route(upstream.url), "price": {"input": 10, "output": 20}}
    gateway = serve({"routes": {"cheap": cheap, "dear": dear}, "policies": {"auto": {}}})
    for fields, route in (({}, "cheap"), ({"tools": TOOLS}, "dear"), ({"max_tokens": 101}, "dear")):
        answer = gateway.http.post("/v1/chat/completions", json=asked("auto", **fields))
        assert answer.headers["x-weighbridge-route"] == route
    pinned = gateway.http.post("/v1/chat/completions", json=asked("cheap", tools=TOOLS))
    assert (pinned.status_code, pinned.json()["error"]["code"]) == (400, "unsupported_capability")
    assert "declared without tools" in pinned.json()["error"]["message"]
    explained = gateway.http.get("/v1/policies/auto/explain", params={"needs": ["tools", "vision"]}).json()
    assert explained["chosen"] == "dear" and explained["request"]["needs"] == ["tools", "vision"]
    assert gateway.http.get("/v1/policies/auto/explain", params={"needs": "wings"}).status_code == 400


def test_a_request_goes_to_a_route_for_its_language(serve: Serve, upstream: Upstream) -> None:
    python_only = {**vllm_route(upstream.url), "languages": {"only": ["python"]}}
    dear = {**vllm_route(upstream.url), "price": {"input": 10, "output": 20}}
    gateway = serve({"routes": {"cheap": python_only, "dear": dear}, "policies": {"auto": {}}})
    for content, header, route in (
        ("hello", None, "cheap"),
        ("```rust\nfn main() {}\n```", None, "dear"),
        ("```rust\nfn main() {}\n```", "Python3", "cheap"),
    ):
        headers = {"x-weighbridge-language": header} if header else {}
        body = asked("auto", messages=[{"role": "user", "content": content}])
        answer = gateway.http.post("/v1/chat/completions", json=body, headers=headers)
        assert answer.headers["x-weighbridge-route"] == route
