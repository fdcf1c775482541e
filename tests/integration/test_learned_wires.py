"""A gateway with a learned policy, asked on every wire: the same prompt goes the same way everywhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies.learned_model import encode
from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.learned_file import model_file
from tests.fixtures.upstream import Behaviour, Received, Upstream, answers_json
from tests.fixtures.waiting import eventually
from tests.integration.test_wires import COMPLETION, MESSAGE, RESPONSE

# The model that is made by hand takes what has less than 400 characters for easy.
EASY = "Sort the list."
HARD = "Sort the list, unless it is empty. " * 60
CHAT = {"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1}}  # fmt: skip
ANSWERS = {
    "/v1/chat/completions": CHAT,
    "/v1/completions": COMPLETION,
    "/v1/responses": RESPONSE,
    "/v1/messages": MESSAGE,
}


def of_any_wire() -> Behaviour:
    async def behave(received: Received, writer: Any) -> None:
        await answers_json(ANSWERS[received.path])(received, writer)

    return behave


def bodies(text: str) -> dict[str, dict[str, Any]]:
    turns = [{"role": "user", "content": text}]
    return {
        "/v1/chat/completions": {"messages": turns},
        "/v1/completions": {"prompt": text},
        "/v1/responses": {"input": text, "store": False},
        "/v1/messages": {"messages": turns, "max_tokens": 9},
    }


def route_of(gateway: Gateway, path: str, body: dict[str, Any]) -> str:
    headers = {"cache-control": "no-store", "x-weighbridge-language": "python"}
    answer = gateway.http.post(path, json={"model": "auto", **body}, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-weighbridge-route"])


@pytest.fixture
def learned(serve: Serve, upstream: Upstream, tmp_path: Path) -> Gateway:
    """Its model was fitted on the revisions that the routes are observed to have."""
    upstream.behaviour = of_any_wire()
    routes = {name: vllm_route(upstream.url, model=name) for name in ("small", "large")}
    gateway = serve({"routes": routes})
    models = gateway.http.get("/v1/models").json()["data"]
    revisions = {m["id"]: m["weighbridge"]["revision"] for m in models if m["weighbridge"]["kind"] == "route"}
    (tmp_path / "learned.json").write_bytes(encode(model_file(revisions=revisions)))
    policies = {"auto": {"objective": "cheapest", "learned": "learned.json"}}
    (tmp_path / "weighbridge.yaml").write_text(json.dumps({"routes": routes, "policies": policies}))
    eventually(lambda: gateway.http.get("/v1/policies/auto/explain").json().get("learned") is not None)
    return gateway


def test_picks_differ_by_prompt_and_are_the_same_on_every_wire(learned: Gateway) -> None:
    for path in ANSWERS:
        assert route_of(learned, path, bodies(EASY)[path]) == "small", path
        assert route_of(learned, path, bodies(HARD)[path]) == "large", path
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    chat = {"messages": [{"role": "user", "content": EASY}], "tools": tools}
    assert route_of(learned, "/v1/chat/completions", chat) == "large"  # of equal prices the first by name
    for text, route in ((EASY, "small"), (HARD, "large")):
        answer = learned.http.post("/v1/policies/auto/explain", params={"language": "python"}, json={"prompt": text})
        assert (answer.json()["chosen"], answer.json()["learned"]["picked"]) == (route, route)
        assert json.dumps(text)[1:-1] not in answer.text
    _explaining_is_for_known_policies_and_texts(learned)


def _explaining_is_for_known_policies_and_texts(learned: Gateway) -> None:
    assert learned.http.post("/v1/policies/none/explain", json={"prompt": "x"}).status_code == 404
    assert learned.http.post("/v1/policies/auto/explain", json={"prompt": 3}).status_code in (400, 422)
    told = learned.http.post("/v1/policies/auto/explain", json={"prompt": "x" * 70_000}).json()["learned"]
    assert told["reason"] == "learned.json does not pick: its opening is not a text that can be read"
    alone = learned.http.get("/v1/policies/auto/explain").json()["learned"]
    assert (alone["picked"], alone["reason"]) == (None, "learned.json does not pick: no prompt is given")
