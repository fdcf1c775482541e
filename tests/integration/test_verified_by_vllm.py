"""`verify: confidence` with the real vLLM: probabilities are asked for, gone by, and not shown to who did not ask."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.vllm import VllmServer

MOST = {"max_tokens": 12, "temperature": 0}


@pytest.fixture(scope="module")
def gateway(vllm_server: VllmServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    policies = {
        name: {"verify": {"by": "confidence", "at_least": least}} for name, least in (("never", 0), ("any", -100))
    }
    routes = {"small": vllm_route(vllm_server.base_url, model=vllm_server.model)}
    running = start_gateway(tmp_path_factory.mktemp("confidence"), {"routes": routes, "policies": policies})
    yield running
    running.stop()


@pytest.mark.parametrize(("policy", "verdict"), [("never", "failed"), ("any", "passed")])
def test_a_chat_is_verified_whole_and_streamed(gateway: Gateway, policy: str, verdict: str) -> None:
    whole = gateway.chat("Name a colour.", model=policy, **MOST)
    assert whole.headers["x-weighbridge-verify"] == verdict
    assert whole.json()["choices"][0]["logprobs"] is None
    streamed = gateway.chat("Name a colour.", model=policy, stream=True, **MOST)
    assert streamed.headers["x-weighbridge-verify"] == verdict
    events = [line.removeprefix("data: ") for line in streamed.text.splitlines() if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    chunks: list[dict[str, Any]] = [json.loads(event)["choices"][0] for event in events]
    assert not any(chunk.get("logprobs") for chunk in chunks)
    assert "".join(c["delta"].get("content") or "" for c in chunks) == whole.json()["choices"][0]["message"]["content"]


def test_who_asks_for_probabilities_sees_them(gateway: Gateway) -> None:
    answer = gateway.chat("Name a colour.", model="any", logprobs=True, **MOST)
    assert answer.headers["x-weighbridge-verify"] == "passed"
    assert len(answer.json()["choices"][0]["logprobs"]["content"]) == answer.json()["usage"]["completion_tokens"]


def test_a_completion_is_verified_too(gateway: Gateway) -> None:
    answer = gateway.http.post("/v1/completions", json={"model": "never", "prompt": "def add(a, b):", **MOST})
    assert answer.headers["x-weighbridge-verify"] == "failed"
    assert answer.json()["choices"][0]["logprobs"] is None
