"""Every wire that clients speak, forwarded to a server that speaks it too: bytes, usage, errors, breaks."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.upstream import SSE_HEAD, Behaviour, Received, Upstream, answers_json, end_chunks, write_chunk

TEXT = "hello there"


def events(*bodies: dict[str, Any]) -> bytes:
    """As vLLM writes named events."""
    return b"".join(f"event: {body['type']}\ndata: {json.dumps(body)}\n\n".encode() for body in bodies)


RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
    "output": [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "text": TEXT, "annotations": []}]}],
    "usage": {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9, "input_tokens_details": {"cached_tokens": 3}},
}  # fmt: skip
RESPONSE_EVENTS = (
    events({"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "usage": None}})
    + events({"type": "response.output_text.delta", "item_id": "msg_1", "delta": "hello"})
    + events({"type": "response.output_text.delta", "item_id": "msg_1", "delta": " there"})
    + events({"type": "response.output_item.done", "item": RESPONSE["output"][0]})  # type: ignore[index]
    + events({"type": "response.completed", "response": RESPONSE})
)
MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": TEXT}], "usage": {"input_tokens": 7, "output_tokens": 2},
}  # fmt: skip
BEGUN = {**MESSAGE, "content": [], "stop_reason": None, "usage": {"input_tokens": 7, "output_tokens": 0}}
MESSAGE_EVENTS = (
    events({"type": "message_start", "message": BEGUN})
    + events({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    + events({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}})
    + events({"type": "content_block_stop", "index": 0})
    + events({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}})
    + events({"type": "message_stop"})
)  # fmt: skip
COMPLETION = {
    "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "text": TEXT, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2},
}  # fmt: skip


def completion_events(usage: bool) -> bytes:
    heads = [
        {"index": 0, "text": "hello", "finish_reason": None},
        {"index": 0, "text": " there", "finish_reason": "stop"},
    ]
    chunks = [{**COMPLETION, "choices": [choice], "usage": None} for choice in heads]
    chunks += [{**COMPLETION, "choices": []}] if usage else []
    return b"".join(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks) + b"data: [DONE]\n\n"


EMBEDDING = {
    "object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": "AAAAAA=="}],
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}  # fmt: skip
ASKED = {
    "/v1/completions": {"prompt": "hi", "suffix": "end"},
    "/v1/responses": {"input": "hi", "tools": [{"type": "custom", "name": "shell"}], "store": False},
    "/v1/messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
    "/v1/messages/count_tokens": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/embeddings": {"input": ["hi"], "encoding_format": "base64"},
}
WHOLE: dict[str, Any] = {
    "/v1/completions": COMPLETION,
    "/v1/responses": RESPONSE,
    "/v1/messages": MESSAGE,
    "/v1/messages/count_tokens": {"input_tokens": 7},
    "/v1/embeddings": EMBEDDING,
}
STREAMED = {
    "/v1/completions": completion_events(usage=False),
    "/v1/responses": RESPONSE_EVENTS,
    "/v1/messages": MESSAGE_EVENTS,
}


def model_server(cut_after: int | None = None) -> Behaviour:
    """Answers each wire; a stream goes out in pieces of seven bytes, and is cut after so many bytes."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        path = received.path
        if not received.json.get("stream"):
            await answers_json(WHOLE[path])(received, writer)
            return
        data = completion_events(usage=True) if path == "/v1/completions" else STREAMED[path]
        writer.write(SSE_HEAD)
        for at in range(0, len(data[:cut_after]), 7):
            await write_chunk(writer, data[:cut_after][at : at + 7])
        if cut_after is None:
            await end_chunks(writer)
        else:
            writer.transport.abort()

    return behave


def ask(gateway: Gateway, path: str, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
    body = {"model": "small", **ASKED[path], "user": gateway.topic, "topic": gateway.topic, **fields}
    return gateway.http.post(path, json=body, headers=headers)


@pytest.mark.parametrize("path", WHOLE)
def test_a_whole_answer_is_forwarded_and_billed(gateway: Gateway, upstream: Upstream, path: str) -> None:
    upstream.behaviour = model_server()
    answer = ask(gateway, path)
    assert (answer.status_code, answer.json()) == (200, WHOLE[path])
    (received,) = upstream.received
    assert received.path == path
    assert received.json == {"model": "m", **ASKED[path], "user": gateway.topic, "topic": gateway.topic}
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["usage_source"]) == ("ok", "provider")
    tokens = {"/v1/embeddings": (7, 0), "/v1/messages/count_tokens": (0, 0)}.get(path, (7, 2))
    assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == tokens
    again = ask(gateway, path)
    assert (again.headers["x-weighbridge-cache"], again.content) == ("hit", answer.content)


@pytest.mark.parametrize("path", STREAMED)
def test_a_stream_is_forwarded_byte_for_byte_and_billed(gateway: Gateway, upstream: Upstream, path: str) -> None:
    upstream.behaviour = model_server()
    answer = ask(gateway, path, stream=True)
    assert answer.content == STREAMED[path]
    assert answer.headers["content-type"].startswith("text/event-stream")
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["usage_source"]) == ("ok", "provider")
    assert (row["usage"]["input_tokens"], row["usage"]["output_tokens"]) == (7, 2)


@pytest.mark.parametrize("path", STREAMED)
def test_a_broken_stream_ends_in_the_wires_own_error_event(gateway: Gateway, upstream: Upstream, path: str) -> None:
    whole = STREAMED[path]
    upstream.behaviour = model_server(cut_after=len(whole) - 120)
    answer = ask(gateway, path, stream=True)
    last = answer.text.rstrip("\n").rpartition("\n\n")[2]
    error = json.loads(last.rpartition("data: ")[2])
    assert "[DONE]" not in answer.text
    assert "message_stop" not in answer.text and '"response.completed"' not in answer.text
    said = {"/v1/completions": error.get("error"), "/v1/messages": error.get("error"), "/v1/responses": error}[path]
    assert "broke" in said["message"]
    assert (error.get("type") == "error", last.startswith("event: error")) == (path != "/v1/completions",) * 2
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert row["outcome"] == "broken_stream"


@pytest.mark.parametrize("path", STREAMED)
def test_an_early_end_is_no_end(gateway: Gateway, upstream: Upstream, path: str) -> None:
    """All events but the last arrive, and the connection closes in order."""
    events_but_last = STREAMED[path].rstrip(b"\n").rpartition(b"\n\n")[0] + b"\n\n"
    if path == "/v1/completions":
        events_but_last = events_but_last.partition(b"\n\n")[0] + b"\n\n"

    async def behave(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE_HEAD)
        await write_chunk(writer, events_but_last)
        await end_chunks(writer)

    upstream.behaviour = behave
    answer = ask(gateway, path, stream=True)
    assert "without a finish reason" in answer.text


def test_errors_have_the_wires_shape(gateway: Gateway, upstream: Upstream) -> None:
    for path in ASKED:
        unknown = ask(gateway, path, model="nothing")
        assert unknown.status_code == 404
        error = unknown.json()["error"]
        assert "'nothing' does not exist" in error["message"]
        anthropics = path.startswith("/v1/messages")
        assert (unknown.json().get("type"), error["type"]) == (
            ("error", "not_found_error") if anthropics else (None, "invalid_request_error")
        )
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": "messages: too many"}}
    upstream.behaviour = answers_json(said, 400)
    refused = ask(gateway, "/v1/messages")
    assert (refused.status_code, refused.json()) == (400, said)


def test_tools_that_the_server_does_not_take_are_dropped_or_declined_and_named(
    serve: Serve, upstream: Upstream
) -> None:
    upstream.behaviour = model_server()
    routes = {
        name: vllm_route(upstream.url, unsupported_tools=name, tool_types=["function", "custom"])
        for name in ("drop", "decline")
    }
    gateway = serve({"routes": routes})
    tools = [{"type": "function", "name": "shell"}, {"type": "web_search"}, {"type": "custom", "name": "patch"}]
    answers = [ask(gateway, "/v1/responses", model="drop", tools=tools) for _ in range(2)]
    assert [answer.headers["x-weighbridge-dropped-tools"] for answer in answers] == ["web_search"] * 2
    assert upstream.received[0].json["tools"] == [tools[0], tools[2]]
    streamed = ask(gateway, "/v1/responses", model="drop", tools=tools, stream=True)
    assert streamed.headers["x-weighbridge-dropped-tools"] == "web_search"
    whole = ask(gateway, "/v1/responses", model="drop", tools=tools[:1])
    assert "x-weighbridge-dropped-tools" not in whole.headers
    asked = len(upstream.received)
    for path in ("/v1/responses", "/v1/messages"):
        declined = ask(gateway, path, model="decline", tools=tools)
        assert declined.status_code == 400
        assert "takes no tools of type web_search" in declined.json()["error"]["message"]
    assert len(upstream.received) == asked


def test_an_attribution_that_changes_with_each_request_does_not_change_the_question(
    gateway: Gateway, upstream: Upstream
) -> None:
    upstream.behaviour = model_server()
    prompt = {"type": "text", "text": "You are an assistant."}
    caches = []
    for number in range(2):
        block = {"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.1; cch={number:05};"}
        answer = ask(gateway, "/v1/messages", system=[block, prompt])
        caches.append(answer.headers["x-weighbridge-cache"])
    assert caches == ["miss", "hit"]
    (received,) = upstream.received
    assert received.json["system"] == [prompt]


@pytest.mark.parametrize("said", ["", "inf", "-3", "nan", "soon"])
def test_whoever_shall_come_again_is_told_when(gateway: Gateway, upstream: Upstream, said: str) -> None:
    upstream.behaviour = answers_json({"error": {"message": "slow down"}}, 429, f"retry-after: {said}\r\n" * bool(said))
    for path in ("/v1/responses", "/v1/messages"):
        answer = ask(gateway, path)
        assert (answer.status_code, answer.json()) == (429, {"error": {"message": "slow down"}})
        assert int(answer.headers["retry-after"]) >= 1


def test_betas_reach_the_upstream_and_are_part_of_the_question(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = model_server()
    sent = {"anthropic-version": "2023-06-01", "anthropic-beta": "one,two"}
    caches = [
        ask(gateway, "/v1/messages", headers).headers["x-weighbridge-cache"]
        for headers in (sent, sent, {**sent, "anthropic-beta": "one"})
    ]
    assert caches == ["miss", "hit", "miss"]
    assert {name: upstream.received[0].headers[name] for name in sent} == sent


def test_models_in_anthropics_shape(gateway: Gateway) -> None:
    headers = {"anthropic-version": "2023-06-01"}
    page = gateway.http.get("/v1/models?limit=1000", headers=headers).json()
    assert [model["id"] for model in page["data"]] == ["small", "auto", "gpt-4o"]
    assert (page["has_more"], page["first_id"], page["last_id"]) == (False, "small", "gpt-4o")
    one = gateway.http.get("/v1/models/gpt-4o", headers=headers).json()
    assert (one["type"], one["display_name"]) == ("model", "gpt-4o")
    missing = gateway.http.get("/v1/models/none", headers=headers)
    assert (missing.status_code, missing.json()["type"]) == (404, "error")


def test_the_root_answers(gateway: Gateway) -> None:
    assert gateway.http.head("/").status_code == 200
