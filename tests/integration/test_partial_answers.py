"""Whatever is not a complete answer is nobody's second time."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway
from tests.fixtures.upstream import SSE_HEAD, Behaviour, Received, Upstream, answers_json, event, streams
from tests.fixtures.waiting import LONG_S

PROMPTS = {"/v1/completions": "prompt", "/v1/responses": "input"}
"""The fields that are a text; the others' are messages."""
WORD, END, DONE = event(up.chunk("word")), event(up.chunk("", finish="stop")), event("[DONE]")
ERROR = {"error": {"message": "out of memory", "type": "InternalServerError", "code": 500}}
RESPONSE: dict[str, Any] = {"id": "resp_1", "object": "response", "model": "m", "output": [], "usage": None}
MESSAGE: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
BEGUN: dict[str, list[dict[str, Any]]] = {
    "/v1/completions": [{"choices": [{"index": 0, "text": "word", "finish_reason": None}]}],
    "/v1/responses": [{"type": "response.created", "response": {**RESPONSE, "status": "in_progress"}},
                      {"type": "response.output_text.delta", "delta": "word"}],
    "/v1/messages": [{"type": "message_start", "message": {**MESSAGE, "usage": {"input_tokens": 1}}},
                     {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word"}}],
}  # fmt: skip
ENDED: dict[str, list[dict[str, Any]]] = {
    "/v1/completions": [{"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}],
    "/v1/responses": [{"type": "response.completed", "response": {**RESPONSE, "status": "completed"}}],
    "/v1/messages": [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
                     {"type": "message_stop"}],
}  # fmt: skip


def ask(gateway: Gateway, path: str = "/v1/chat/completions", **fields: Any) -> httpx.Response:
    prompt = {PROMPTS[path]: gateway.topic} if path in PROMPTS else {"messages": gateway.messages("hi")}
    return gateway.http.post(path, json={"model": "small", **prompt, "max_tokens": 9, **fields})


def label(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return answer.headers["x-weighbridge-cache"]


async def cut_in_the_body(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{")
    await writer.drain()
    writer.transport.abort()


async def cut_in_a_chunk(_: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(SSE_HEAD + b"fff\r\n" + WORD)
    await writer.drain()
    writer.transport.abort()


BROKEN_STREAMS = {
    "cut": streams(WORD, end=False),
    "cut in a chunk": cut_in_a_chunk,
    "ended without a finish reason": streams(WORD, DONE),
    "one choice of two finished": streams(WORD, event(up.chunk("word", index=1)), END, DONE),
    "an error in it": streams(WORD, event(ERROR), DONE),
    "an error after its end": streams(WORD, END, event(ERROR), DONE),
    "an error as its finish reason": streams(WORD, event(up.chunk("", finish="error")), DONE),
    "no JSON": streams(WORD, b"data: {\n\n", END, DONE),
}
BROKEN_WHOLES: dict[str, Behaviour] = {
    "cut": cut_in_the_body,
    "cut off JSON": answers_json(b'{"choices": [{"message": {"content": "wo'),
    "an error": answers_json(ERROR, 500),
}
POOR_WHOLES: dict[str, dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": {
        "an error with status 200": ERROR,
        "without an answer": {"choices": []},
        "without an end": {"choices": [{"message": {"content": "wo"}, "finish_reason": None}]},
        "ended with an error": {"choices": [{"message": {"content": "wo"}, "finish_reason": "error"}]},
        "one of two": {"choices": [{"finish_reason": "stop"}, {"finish_reason": None}]},
    },
    "/v1/responses": {
        "failed": {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "no"}},
        "queued": {**RESPONSE, "status": "queued"},
        "cancelled": {**RESPONSE, "status": "cancelled"},
    },
    "/v1/messages": {"without an end": {**MESSAGE, "stop_reason": None, "usage": {"input_tokens": 1}}},
}


def is_new(gateway: Gateway, upstream: Upstream, **fields: Any) -> bool:
    """Nothing was kept before, and what comes now is."""
    upstream.behaviour = up.says("well")
    return [label(ask(gateway, **fields)) for _ in range(2)] == ["miss", "hit"]


@pytest.mark.parametrize("behaviour", BROKEN_STREAMS.values(), ids=BROKEN_STREAMS)
def test_a_stream_that_broke_is_not_kept(gateway: Gateway, upstream: Upstream, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    broken = ask(gateway, stream=True)
    assert "[DONE]" not in broken.text
    assert is_new(gateway, upstream, stream=True)


@pytest.mark.parametrize("behaviour", BROKEN_WHOLES.values(), ids=BROKEN_WHOLES)
def test_an_answer_that_broke_is_not_kept(gateway: Gateway, upstream: Upstream, behaviour: Behaviour) -> None:
    upstream.behaviour = behaviour
    assert ask(gateway).status_code >= 500
    assert is_new(gateway, upstream)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param(path, body, id=f"{path} {name}")
        for path, some in POOR_WHOLES.items()
        for name, body in some.items()
    ],
)
def test_what_is_no_complete_answer_goes_out_and_is_not_kept(
    gateway: Gateway, upstream: Upstream, path: str, body: dict[str, Any]
) -> None:
    upstream.behaviour = answers_json(body)
    answers = [ask(gateway, path) for _ in range(2)]
    assert [label(answer) for answer in answers] == ["miss", "miss"]
    assert [answer.json() for answer in answers] == [body, body]


@pytest.mark.parametrize("path", BEGUN)
def test_on_no_wire_is_a_stream_kept_that_broke(gateway: Gateway, upstream: Upstream, path: str) -> None:
    begun, ended = (b"".join(map(named, some[path])) for some in (BEGUN, ENDED))
    for broken in (streams(begun, end=False), streams(begun)):
        upstream.behaviour = broken
        ask(gateway, path, stream=True)
    upstream.behaviour = streams(begun + ended)
    assert [label(ask(gateway, path, stream=True)) for _ in range(2)] == ["miss", "hit"]


def named(said: dict[str, Any]) -> bytes:
    return f"event: {said.get('type', 'message')}\ndata: {json.dumps(said)}\n\n".encode()


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_model_ended_at_the_limit_is_complete(gateway: Gateway, upstream: Upstream, stream: bool) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "word"}, "finish_reason": "length"}
    whole = answers_json({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]})
    upstream.behaviour = streams(WORD, event(up.chunk("", finish="length")), DONE) if stream else whole
    assert [label(ask(gateway, stream=stream)) for _ in range(2)] == ["miss", "hit"]


def test_what_its_client_left_is_not_kept(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = streams(*[WORD] * 1000, END, DONE, pause_s=0.05)
    body = {"model": "small", "messages": gateway.messages("hi"), "max_tokens": 9, "stream": True}
    with gateway.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        next(answer.iter_bytes())
    assert upstream.received[0].gone.wait(LONG_S)
    assert is_new(gateway, upstream, stream=True)


def test_what_was_cut_at_a_limit_of_ours_is_not_kept(hasty_gateway: Gateway, upstream: Upstream) -> None:
    """Here the gap between two pieces."""

    async def stalls(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE_HEAD)
        await up.write_chunk(writer, WORD)
        await asyncio.sleep(LONG_S)

    upstream.behaviour = stalls
    assert "upstream_timeout" in ask(hasty_gateway, stream=True).text
    upstream.behaviour = up.says("well")
    eventual = [label(ask(hasty_gateway, stream=True)) for _ in range(2)]
    assert eventual == ["miss", "hit"]
