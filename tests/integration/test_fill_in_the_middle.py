"""Completions with a suffix: what a model server gets of them, by the route's template."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.upstream import Upstream, answers_json
from tests.fixtures.waiting import eventually

ANSWER = {
    "id": "cmpl-1",
    "object": "text_completion",
    "choices": [{"index": 0, "text": "return", "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 1},
}
GAP = {"prompt": "def f():\n    ", "suffix": " 1\n"}


@pytest.fixture(scope="module")
def shared_gateway(tmp_path_factory: pytest.TempPathFactory, upstream_server: Upstream) -> Iterator[Gateway]:
    route = vllm_route(upstream_server.url)
    own = {"prompt": "<P>{prefix}<S>{suffix}<M>", "stop": "<E>"}
    routes = {
        "plain": route,
        "named": {**route, "fim": "codellama"},
        "own": {**route, "fim": own},
        "known": {**route, "model": "Qwen/Qwen2.5-Coder-7B"},
        "off": {**route, "model": "bigcode/starcoder2-3b", "fim": "none"},
    }
    gateway = start_gateway(tmp_path_factory.mktemp("fim"), {"routes": routes})
    yield gateway
    gateway.stop()


@pytest.fixture
def gateway(shared_gateway: Gateway, upstream: Upstream) -> Gateway:
    upstream.behaviour = answers_json(ANSWER)
    return shared_gateway


def sent(gateway: Gateway, upstream: Upstream, model: str, **fields: Any) -> Any:
    upstream.received.clear()
    answer = gateway.http.post("/v1/completions", json={"model": model, **GAP, **fields})
    assert (answer.status_code, answer.json()) == (200, ANSWER)
    (received,) = upstream.received
    return received.json


def test_each_route_sends_its_own_template(gateway: Gateway, upstream: Upstream) -> None:
    assert sent(gateway, upstream, "named")["prompt"] == "<PRE> def f():\n     <SUF> 1\n <MID>"
    own = sent(gateway, upstream, "own", stop=["\n\n"])
    assert own == {
        **{"model": "m", "prompt": "<P>def f():\n    <S> 1\n<M>", "stop": ["\n\n", "<E>"]},
        "skip_special_tokens": False,
    }
    known = sent(gateway, upstream, "known")
    assert known["prompt"] == "<|fim_prefix|>def f():\n    <|fim_suffix|> 1\n<|fim_middle|>"
    for model, served in (("plain", "m"), ("off", "bigcode/starcoder2-3b")):
        assert sent(gateway, upstream, model) == {"model": served, **GAP}


def test_another_suffix_is_another_question(gateway: Gateway, upstream: Upstream) -> None:
    for suffix in (" 3\n", " 4\n"):
        assert sent(gateway, upstream, "named", suffix=suffix)["prompt"].endswith(f"<SUF>{suffix} <MID>")
    again = {"model": "named", **GAP, "suffix": " 3\n"}
    eventually(lambda: gateway.http.post("/v1/completions", json=again).headers["x-weighbridge-cache"] == "hit")
