"""A client hears something while its stream is silent: before the first content, and between two pieces."""

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.upstream import (
    Behaviour,
    Received,
    Upstream,
    answers_json,
    chunk,
    event,
    says,
    streams,
    streams_held,
)
from tests.fixtures.waiting import LONG_S, eventually

COMMENT = ": keep-alive\n\n"
PING = 'event: ping\ndata: {"type": "ping"}\n\n'
PATHS = {
    "/v1/chat/completions": COMMENT,
    "/v1/completions": COMMENT,
    "/v1/responses": COMMENT,
    "/v1/messages": PING,
}
SILENT = {"x-weighbridge-keep-alive": "no"}
NO_CACHE = {"cache-control": "no-store"}


@pytest.fixture(scope="module")
def talkative(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {"routes": {"small": vllm_route(upstream_server.url)}, "limits": {"keep_alive_s": 0.1}}
    gateway = start_gateway(tmp_path_factory.mktemp("talkative"), config)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def gateway(talkative: Gateway, upstream: Upstream, request: pytest.FixtureRequest) -> Gateway:
    talkative.topic = f"{request.node.name}: "
    return talkative


def body(gateway: Gateway, **fields: Any) -> dict[str, Any]:
    prompts = {"messages": gateway.messages("hi"), "prompt": gateway.topic, "input": gateway.topic}
    return {"model": "small", "stream": True, **prompts, **fields}


def held(go: threading.Event, then: Behaviour) -> Behaviour:
    """Says nothing at all until a test's thread says ``go``."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        while not go.is_set():  # noqa: ASYNC110 (set by another thread)
            await asyncio.sleep(0.01)
        await then(received, writer)

    return behave


def read_until(parts: Iterator[str], wanted: str) -> str:
    said = ""
    while wanted not in said:
        said += next(parts)
    return said


@pytest.mark.parametrize("path", PATHS)
def test_before_the_first_content_and_then_an_error_is_an_event(
    gateway: Gateway, upstream: Upstream, path: str
) -> None:
    go = threading.Event()
    upstream.behaviour = held(go, answers_json({"error": {"message": "no such thing"}}, 400))
    with gateway.http.stream("POST", path, json=body(gateway), headers=NO_CACHE) as answer:
        parts = answer.iter_text()
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert read_until(parts, PATHS[path] * 3).replace(PATHS[path], "") == ""
        go.set()
        rest = "".join(parts)
    error = json.loads(rest.replace(PATHS[path], "").rpartition("data: ")[2])
    assert "error" in error or error["type"] == "error"
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["status"], len(upstream.received)) == (400, 1)


def test_anthropics_client_passes_over_what_comes_before_a_message(gateway: Gateway, upstream: Upstream) -> None:
    begun = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None}
    events = (
        {"type": "message_start", "message": {**begun, "usage": {"input_tokens": 7, "output_tokens": 0}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    )
    go = threading.Event()
    upstream.behaviour = held(go, streams(*(f"event: {said['type']}\n".encode() + event(said) for said in events)))
    asked: Any = {"model": "small", "max_tokens": 9, "messages": gateway.messages("hi")}
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="any", max_retries=0) as client,
        client.messages.stream(**asked) as stream,
    ):
        go.set()
        assert stream.get_final_text() == "hello"


def test_openais_client_passes_over_what_comes_before_a_response(gateway: Gateway, upstream: Upstream) -> None:
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": []}
    ended = event({"type": "response.completed", "response": response, "sequence_number": 0})
    go = threading.Event()
    upstream.behaviour = held(go, streams(b"event: response.completed\n" + ended))
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="any", max_retries=0) as client:
        stream = client.responses.create(model="small", input=gateway.topic, stream=True)
        go.set()
        assert [said.type for said in stream] == ["response.completed"]


def test_before_the_first_content_another_attempt_is_still_made(gateway: Gateway, upstream: Upstream) -> None:
    go = threading.Event()

    async def fails_first(received: Received, writer: asyncio.StreamWriter) -> None:
        then = answers_json({}, 500) if len(upstream.received) == 1 else says("hello there")
        await held(go, then)(received, writer)

    upstream.behaviour = fails_first
    asked = body(gateway)
    with gateway.http.stream("POST", "/v1/chat/completions", json=asked) as answer:
        parts = answer.iter_text()
        read_until(parts, COMMENT)
        go.set()
        rest = "".join(parts)
    assert '"content":"hello"' in rest
    assert rest.endswith("data: [DONE]\n\n")
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert [attempt["outcome"] for attempt in row["attempts"]] == ["status", "ok"]


def test_between_two_pieces_and_never_kept(gateway: Gateway, upstream: Upstream) -> None:
    go = threading.Event()
    end = (event(chunk(" there", finish="stop")), event("[DONE]"))
    upstream.behaviour = streams_held(event(chunk("hello")), go, *end)
    with gateway.http.stream("POST", "/v1/chat/completions", json=body(gateway)) as answer:
        parts = answer.iter_text()
        said = read_until(parts, COMMENT * 2)
        go.set()
        said += "".join(parts)
    whole = (event(chunk("hello")) + b"".join(end)).decode()
    assert said.replace(COMMENT, "") == whole

    def is_kept() -> bool:
        again = gateway.http.post("/v1/chat/completions", json=body(gateway), headers=SILENT)
        return (again.headers["x-weighbridge-cache"], again.text) == ("hit", whole)

    eventually(is_kept)


def test_whoever_wants_none_gets_the_whole_head_and_an_errors_status(gateway: Gateway, upstream: Upstream) -> None:
    go = threading.Event()
    waited = threading.Timer(0.5, go.set)
    upstream.behaviour = held(go, answers_json({"error": {"message": "no such thing"}}, 400))
    waited.start()
    answer = gateway.http.post("/v1/messages", json=body(gateway), headers=SILENT)
    assert (answer.status_code, answer.json()) == (400, {"error": {"message": "no such thing"}})


def test_a_whole_answer_comes_without(gateway: Gateway, upstream: Upstream) -> None:
    go = threading.Event()
    upstream.behaviour = held(go, says("hello there"))
    threading.Timer(0.5, go.set).start()
    answer = gateway.http.post("/v1/chat/completions", json=body(gateway, stream=False))
    assert answer.json()["choices"][0]["message"]["content"] == "hello there"


def test_a_client_that_leaves_while_it_hears_them_ends_the_upstreams_work(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = held(threading.Event(), says("never"))
    with gateway.http.stream("POST", "/v1/chat/completions", json=body(gateway), headers=NO_CACHE) as answer:
        read_until(answer.iter_text(), COMMENT)
    (received,) = upstream.wait_for(1)
    assert received.gone.wait(LONG_S)


def test_an_answer_that_is_no_stream_ends_in_an_error(gateway: Gateway, upstream: Upstream) -> None:
    go = threading.Event()
    upstream.behaviour = held(go, answers_json({"choices": []}))
    with gateway.http.stream("POST", "/v1/chat/completions", json=body(gateway), headers=NO_CACHE) as answer:
        parts = answer.iter_text()
        read_until(parts, COMMENT)
        go.set()
        assert "it is no stream" in "".join(parts)
