"""Verified answers on the whole road: held, run in a real sandbox, and followed by another route's where they fail."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, posted, start_gateway, vllm_route
from tests.fixtures.sandboxes import serving
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

RIGHT = "```python\ndef double(x):\n    return 2 * x  # zanzibar\n```"
WRONG = "```python\ndef double(x):\n    return x  # zanzibar\n```"
QUESTION = (
    "Write the function.\n\ndef double(x):\n    '''\n    >>> double(2)\n    4\n    >>> double(5)\n    10\n    '''\n"
)


@pytest.fixture(scope="module")
def served(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Routes ``small`` and ``large`` at one server, which tells them apart by the model."""
    with serving({"kind": "bubblewrap"}, parallel=2) as path:
        routes = {
            "small": vllm_route(upstream_server.url, model="small"),
            "large": vllm_route(upstream_server.url, model="large") | {"price": {"input": 5.0, "output": 10.0}},
        }
        policies = {
            "auto": {"verify": "examples"},
            "best": {"objective": "most_accurate", "unmeasured": "allow", "verify": "examples"},
            "frugal": {"verify": {"by": "examples", "max_cost_usd": "0.000050"}},
            "hasty": {"verify": {"by": "examples", "latency_ms": 2500}},
            "sure": {"verify": {"by": "confidence", "at_least": -0.5}},
        }
        config = {"routes": routes, "policies": policies, "sandboxd": str(path), "limits": {"keep_alive_s": 0.2}}
        gateway = start_gateway(tmp_path_factory.mktemp("verified"), config)
        yield gateway
        assert gateway.stop() == 0


@pytest.fixture
def gateway(served: Gateway, upstream: Upstream, request: pytest.FixtureRequest) -> Gateway:
    served.topic = f"{request.node.name}: "
    return served


def by_model(**behaviours: up.Behaviour) -> up.Behaviour:
    async def behave(received: up.Received, writer: Any) -> None:
        await behaviours[received.json["model"]](received, writer)

    return behave


def models(upstream: Upstream) -> list[str]:
    return [received.json["model"] for received in upstream.received]


def text(answer: httpx.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def told(answer: httpx.Response) -> tuple[str, str]:
    return answer.headers["x-weighbridge-route"], answer.headers["x-weighbridge-verify"]


def test_a_wrong_answer_is_followed_by_the_next_routes_and_each_is_billed_once(
    gateway: Gateway, upstream: Upstream
) -> None:
    upstream.behaviour = by_model(small=up.says(WRONG), large=up.says(RIGHT))
    answer = gateway.chat(QUESTION, model="auto")
    assert (text(answer), told(answer)) == (RIGHT, ("large", "passed"))
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    tried = [(a["route"], a["outcome"], a["verify"]) for a in row["attempts"]]
    assert tried == [("small", "rejected", "failed"), ("large", "ok", "passed")]
    words = {"small": len(WRONG.split(" ")), "large": len(RIGHT.split(" "))}
    costs = [7 * 1000 + words["small"] * 2000, 7 * 5000 + words["large"] * 10000]
    assert [a["cost_nanousd"] for a in row["attempts"]] == costs
    assert row["cost_nanousd"] == sum(costs) == int(answer.headers["x-weighbridge-cost-nanousd"])
    assert (row["route"], row["usage"]["output_tokens"], row["usage_source"]) == ("large", words["large"], "provider")


def test_examples_in_comments_of_another_language_are_run_in_it(gateway: Gateway, upstream: Upstream) -> None:
    question = "Write the function.\n```js\n// >>> double(2)\n// 4\n// >>> double(5)\n// 10\nfunction double(x) {\n```"
    right, wrong = (f"```js\nfunction double(x) {{ return {it}; }}\n```" for it in ("2 * x", "x + 2"))
    upstream.behaviour = by_model(small=up.says(wrong), large=up.says(right))
    answer = gateway.chat(question, model="auto")
    assert (text(answer), told(answer)) == (right, ("large", "passed"))


def test_what_each_route_was_paid_is_spent_on_it(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=up.says(WRONG), large=up.says(RIGHT))
    answer = gateway.chat(QUESTION, model="auto", headers={"x-weighbridge-language": "perl"})  # nobody else asks in it
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    paid = {attempt["route"]: attempt["cost_nanousd"] for attempt in row["attempts"]}
    assert paid.keys() == {"small", "large"} and all(paid.values())
    spent = gateway.http.get("/v1/spend", params={"by": ["language", "route"]}).json()["rows"]
    of_it = {each["route"]: each for each in spent if each["language"] == "perl"}
    assert {route: each["cost_nanousd"] for route, each in of_it.items()} == paid
    assert sum(paid.values()) == row["cost_nanousd"]
    assert {route: each["requests"] for route, each in of_it.items()} == {"small": 0, "large": 1}
    assert all(each["provider_nanousd"] == each["cost_nanousd"] for each in of_it.values())


def test_a_right_answer_goes_out_and_is_found_again(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=up.says(RIGHT))
    assert told(gateway.chat(QUESTION, model="auto")) == ("small", "passed")
    again = gateway.chat(QUESTION, model="auto")
    assert (told(again), again.headers["x-weighbridge-cache"]) == (("small", "passed"), "hit")
    assert models(upstream) == ["small"]


def test_what_a_later_route_answered_is_found_again_too(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=up.says(WRONG), large=up.says(RIGHT))
    gateway.chat(QUESTION, model="auto")
    again = gateway.chat(QUESTION, model="auto")
    assert (told(again), again.headers["x-weighbridge-cache"]) == (("large", "passed"), "hit")


def test_an_answer_that_was_not_verified_is_none_to_a_policy_that_verifies(
    gateway: Gateway, upstream: Upstream
) -> None:
    upstream.behaviour = by_model(small=up.says(WRONG), large=up.says(RIGHT))
    assert text(gateway.chat(QUESTION, model="small")) == WRONG
    assert gateway.chat(QUESTION, model="small").headers["x-weighbridge-cache"] == "hit"
    assert told(gateway.chat(QUESTION, model="auto")) == ("large", "passed")


def test_where_all_fail_the_last_goes_out_and_is_not_kept(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=up.says(WRONG), large=up.says(WRONG))
    for _ in range(2):
        assert told(gateway.chat(QUESTION, model="auto")) == ("large", "failed")
    assert models(upstream) == ["small", "large"] * 2


def test_where_all_fail_the_one_that_did_more_examples_goes_out(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=up.says("def double(x):\n    return x + 2\n"), large=up.says(WRONG))
    assert told(gateway.chat(QUESTION, model="auto")) == ("small", "failed")


def test_a_request_without_examples_is_not_held(gateway: Gateway, upstream: Upstream) -> None:
    go = threading.Event()
    upstream.behaviour = up.streams_held(
        up.event(up.chunk("well")), go, up.event(up.chunk("", finish="stop")), up.event("[DONE]")
    )
    body = {"model": "auto", "messages": gateway.messages("What is a monad?"), "stream": True}
    with gateway.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert told(answer) == ("small", "skipped")
        pieces = answer.iter_text()
        assert "well" in next(piece for piece in pieces if "data" in piece)
        go.set()
        assert "[DONE]" in "".join(pieces)


def test_an_answer_that_calls_a_tool_or_holds_no_code_is_left_alone(gateway: Gateway, upstream: Upstream) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    upstream.behaviour = up.answers_json({"object": "chat.completion", "model": "m", "choices": [choice]})
    answer = gateway.chat(QUESTION, model="auto", tools=[{"type": "function", "function": {"name": "f"}}])
    assert told(answer) == ("small", "skipped")
    assert answer.json()["choices"][0]["message"]["tool_calls"] == [call]
    upstream.behaviour = up.says("Which numbers do you mean?")
    assert told(gateway.chat(QUESTION, model="auto")) == ("small", "skipped")


def test_a_stream_is_held_with_comments_and_then_comes_as_it_was(gateway: Gateway, upstream: Upstream) -> None:
    go = threading.Event()
    last = (up.event(up.chunk("", finish="stop")), up.event(up.usage_chunk(7, 9)), up.event("[DONE]"))
    upstream.behaviour = by_model(
        small=up.says(WRONG),
        large=up.streams_held(up.event(up.chunk(RIGHT[:20])), go, up.event(up.chunk(RIGHT[20:])), *last),
    )
    body = {"model": "auto", "messages": gateway.messages(QUESTION), "stream": True}
    with gateway.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        pieces = answer.iter_text()
        assert set(next(pieces).split("\n\n")) == {": keep-alive", ""}
        assert "x-weighbridge-verify" not in answer.headers  # they went out before anything was known
        go.set()
        said = "".join(pieces)
    events = [line.removeprefix("data: ") for line in said.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    assert "".join(json.loads(e)["choices"][0]["delta"].get("content", "") for e in events[:-1]) == RIGHT
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert [a["verify"] for a in row["attempts"]] == ["failed", "passed"]


def test_no_route_is_asked_that_would_go_beyond_the_budget(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=up.says(WRONG), large=up.says(RIGHT))
    assert told(gateway.chat(QUESTION, model="frugal")) == ("small", "failed")
    assert models(upstream) == ["small"]


def test_a_route_that_takes_too_long_is_given_up(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=up.says(WRONG), large=up.streams_held(b": wait\n\n", threading.Event()))
    for turn in range(20):  # a busy machine may have no time left for the second route
        asked = f"{turn}: {QUESTION}"
        answer = gateway.chat(asked, model="hasty", stream=True, headers={"x-weighbridge-keep-alive": "no"})
        assert told(answer) == ("small", "failed")
        row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
        if len(row["attempts"]) == 2:
            break
    assert [a["outcome"] for a in row["attempts"]] == ["rejected", "given_up"]
    assert (row["outcome"], row["cost_nanousd"]) == ("ok", row["attempts"][0]["cost_nanousd"])
    assert upstream.received[-1].gone.wait(60)


def test_a_next_route_in_trouble_leaves_the_answer_that_there_is(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=up.says(WRONG), large=up.answers_json({"error": {}}, 400))
    answer = gateway.chat(QUESTION, model="auto")
    assert (text(answer), told(answer)) == (WRONG, ("small", "failed"))


def test_a_client_that_leaves_ends_it_all(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=up.says(WRONG), large=up.streams_held(b": wait\n\n", threading.Event()))
    body = {"model": "auto", "messages": gateway.messages(QUESTION), "stream": True}
    with posted(gateway, body):
        upstream.wait_for(2)
    assert upstream.received[-1].gone.wait(60)
    eventually(lambda: any(event.get("status") == 499 for event in gateway.logged()))


def test_neither_examples_nor_code_are_logged(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(
        small=up.says("def double(x):\n    raise ValueError('zanzibar')\n"), large=up.says(WRONG)
    )
    answer = gateway.chat(QUESTION, model="auto")
    seen = answer.headers["x-weighbridge-request-id"]
    eventually(lambda: seen in gateway.log.read_text())
    assert "zanzibar" not in gateway.log.read_text()
    assert "double" not in gateway.log.read_text()


def test_without_a_sandbox_an_answer_is_unavailable_or_declined(upstream: Upstream, tmp_path: Path) -> None:
    routes = {"small": vllm_route(upstream.url), "large": vllm_route(upstream.url)}
    policies = {
        "auto": {"verify": "examples"},
        "strict": {"verify": {"by": "examples", "when_unavailable": "decline"}},
    }
    upstream.behaviour = up.says(WRONG)
    gateway = start_gateway(tmp_path, {"routes": routes, "policies": policies})
    try:
        answer = gateway.chat(QUESTION, model="auto")
        assert (text(answer), answer.headers["x-weighbridge-verify"]) == (WRONG, "unavailable")
        refused = gateway.chat(QUESTION, model="strict")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "verification_unavailable")
        row = gateway.ledger(refused.headers["x-weighbridge-request-id"])
        assert row["cost_nanousd"] == row["attempts"][0]["cost_nanousd"] > 0
        assert len(upstream.received) == 2  # neither was kept, and no other route was asked
    finally:
        gateway.stop()


def whole(wire: str, said: str) -> dict[str, Any]:
    part = {"type": "text", "text": said}
    return {
        "/v1/completions": {"choices": [{"index": 0, "text": said, "finish_reason": "stop"}]},
        "/v1/messages": {
            "id": "msg_1",
            "model": "m",
            "type": "message",
            "role": "assistant",
            "content": [part],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 7, "output_tokens": 9},
        },
        "/v1/responses": {
            "object": "response",
            "status": "completed",
            "output": [{"type": "message", "content": [{**part, "type": "output_text"}]}],
        },
    }[wire]


@pytest.mark.parametrize("wire", ["/v1/completions", "/v1/messages", "/v1/responses"])
def test_it_is_the_same_on_every_wire(gateway: Gateway, upstream: Upstream, wire: str) -> None:
    right, wrong = ("    return 2 * x", "    return x") if wire == "/v1/completions" else (RIGHT, WRONG)
    upstream.behaviour = by_model(small=up.answers_json(whole(wire, wrong)), large=up.answers_json(whole(wire, right)))
    asked = {
        "/v1/completions": {"prompt": QUESTION.partition("\n\n")[2]},
        "/v1/messages": {"messages": gateway.messages(QUESTION), "max_tokens": 100},
        "/v1/responses": {"input": gateway.topic + QUESTION},
    }[wire]
    answer = gateway.http.post(wire, json={"model": "auto", **asked})
    assert answer.status_code == 200, answer.text
    assert told(answer) == ("large", "passed")
    assert answer.json() == whole(wire, right)


def confident(logprob: float) -> up.Behaviour:
    """A server that says how sure it was of each word where it is asked."""

    async def behave(received: up.Received, writer: asyncio.StreamWriter) -> None:
        assert received.json["logprobs"] is True
        tokens = [{"token": "a", "logprob": logprob, "bytes": None, "top_logprobs": []}]
        logprobs = {"content": tokens, "refusal": None}
        message = {"role": "assistant", "content": f"sure {logprob}"}
        choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": "stop"}
        usage = {"prompt_tokens": 7, "completion_tokens": 1}
        body = {"object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
        await up.answers_json(body)(received, writer)

    return behave


def test_an_answer_that_its_model_is_not_sure_of_is_followed_by_another(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = by_model(small=confident(-0.9), large=confident(-0.1))
    answer = gateway.chat("hello", model="sure")
    assert told(answer) == ("large", "passed")
    assert answer.json()["choices"][0]["logprobs"] is None
    upstream.behaviour = by_model(small=confident(-0.2))
    asked_for = gateway.chat("hello again", model="sure", logprobs=True)
    assert told(asked_for) == ("small", "passed")
    assert asked_for.json()["choices"][0]["logprobs"]["content"][0]["logprob"] == -0.2
