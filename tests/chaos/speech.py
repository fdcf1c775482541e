"""Answers on four wires: spoken word by word by the upstream, understood by the clients and by the audit.

A word is a token, and in a stream an event of its own, so that whoever counts events counts tokens. Every answer
begins with a mark that says whose it is and ends with ``END``: a part of one is told from the whole.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

WireName = Literal["chat", "completions", "responses", "messages"]
PATHS: dict[WireName, str] = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}
BY_PATH: dict[str, WireName] = {path: wire for wire, path in PATHS.items()}
END = "<end>"
_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Usage:
    """As our ledger counts: ``input`` holds the cached ones too."""

    input: int
    cached: int
    output: int


@dataclass(frozen=True, slots=True)
class Heard:
    """``complete``: it has everything that the wire ends an answer with. ``failed``: it holds an error event."""

    text: str
    complete: bool
    failed: bool


def question(wire: WireName, text: str) -> dict[str, Any]:
    """A request's own fields."""
    if wire == "completions":
        return {"prompt": text}
    if wire == "responses":
        return {"input": text, "store": False}
    return {"messages": [{"role": "user", "content": text}]}


def asked_text(wire: WireName, body: dict[str, Any]) -> str:
    if wire == "completions":
        return str(body["prompt"])
    if wire == "responses":
        return str(body["input"])
    return str(body["messages"][0]["content"])


def whole(wire: WireName, words: Sequence[str], usage: Usage | None) -> bytes:
    text = " ".join(words)
    body: dict[str, Any]
    if wire == "messages":
        content = [{"type": "text", "text": text}]
        body = {**_message(usage), "content": content, "stop_reason": "end_turn"}
    elif wire == "responses":
        body = _response("completed", text, usage)
    else:
        said = {"text": text} if wire == "completions" else {"message": {"role": "assistant", "content": text}}
        kind = "text_completion" if wire == "completions" else "chat.completion"
        body = {**_openai(kind), "choices": [{"index": 0, **said, "finish_reason": "stop"}]}
        if usage is not None:
            body["usage"] = _openai_usage(usage)
    return json.dumps(body).encode()


def word_event(wire: WireName, word: str) -> bytes:
    if wire == "messages":
        delta = {"type": "text_delta", "text": word}
        return _named({"type": "content_block_delta", "index": 0, "delta": delta})
    if wire == "responses":
        where = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "sequence_number": 1}
        return _named({"type": "response.output_text.delta", **where, "delta": word, "logprobs": []})
    said = {"text": word} if wire == "completions" else {"delta": {"content": word}}
    return _data({**_chunk(wire), "choices": [{"index": 0, **said, "finish_reason": None}]})


def opening(wire: WireName, usage: Usage | None) -> bytes:
    """What comes before the first word."""
    if wire == "messages":
        begun = _message(None if usage is None else Usage(usage.input, usage.cached, 1))
        message = {**begun, "content": [], "stop_reason": None}
        block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        return _named({"type": "message_start", "message": message}) + _named(block)
    if wire == "responses":
        created = {"type": "response.created", "response": _response("in_progress", "", None), "sequence_number": 0}
        return _named(created)
    return b""


def closing(wire: WireName, words: Sequence[str], usage: Usage | None, asked_for_usage: bool) -> bytes:
    """All that comes after the last word."""
    if wire == "messages":
        delta: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
        if usage is not None:
            delta["usage"] = {"output_tokens": usage.output}
        block = {"type": "content_block_stop", "index": 0}
        return b"".join(map(_named, (block, delta, {"type": "message_stop"})))
    if wire == "responses":
        response = _response("completed", " ".join(words), usage)
        return _named({"type": "response.completed", "response": response, "sequence_number": 99})
    nothing: dict[str, Any] = {"text": ""} if wire == "completions" else {"delta": {}}
    last = _data({**_chunk(wire), "choices": [{"index": 0, **nothing, "finish_reason": "stop"}]})
    if usage is not None and asked_for_usage:
        last += _data({**_chunk(wire), "choices": [], "usage": _openai_usage(usage)})
    return last + _DONE


def error_event(wire: WireName) -> bytes:
    if wire == "messages":
        return _named({"type": "error", "error": {"type": "overloaded_error", "message": "chaos"}})
    if wire == "responses":
        return _named({"type": "error", "code": "server_error", "message": "chaos", "sequence_number": 9})
    return _data({"error": {"message": "chaos", "type": "server_error", "code": 500}})


def heard_whole(wire: WireName, body: bytes) -> Heard:
    """Raises ``ValueError``, ``KeyError`` for what is no answer."""
    answer = json.loads(body)
    if wire == "messages":
        return Heard(answer["content"][0]["text"], answer["stop_reason"] == "end_turn", False)
    if wire == "responses":
        return Heard(answer["output"][0]["content"][0]["text"], answer["status"] == "completed", False)
    choice = answer["choices"][0]
    text = choice["text"] if wire == "completions" else choice["message"]["content"]
    return Heard(text, choice["finish_reason"] == "stop", False)


def heard_stream(wire: WireName, body: bytes) -> Heard:
    """Raises ``ValueError`` for an event that is no JSON."""
    words: list[str] = []
    finished = stopped = failed = False
    for line in body.split(b"\n"):
        if not line.startswith(b"data: "):
            continue
        if line == b"data: [DONE]":
            stopped = True
            continue
        event = json.loads(line[6:])
        kind = event.get("type", "")
        failed = failed or kind in ("error", "response.failed") or "error" in event
        if wire == "messages":
            if kind == "content_block_delta":
                words.append(event["delta"]["text"])
            finished = finished or (kind == "message_delta" and event["delta"]["stop_reason"] is not None)
            stopped = stopped or kind == "message_stop"
        elif wire == "responses":
            if kind == "response.output_text.delta":
                words.append(event["delta"])
            finished = stopped = finished or kind == "response.completed"
        else:
            for choice in event.get("choices", ()):
                words.append(choice.get("text") or choice.get("delta", {}).get("content") or "")
                finished = finished or choice["finish_reason"] is not None
    text = " ".join(word for word in words if word)
    return Heard(text, finished and stopped, failed)


def _openai(kind: str) -> dict[str, Any]:
    return {"id": "c-1", "object": kind, "created": 1, "model": "m"}


def _chunk(wire: WireName) -> dict[str, Any]:
    return _openai("text_completion" if wire == "completions" else "chat.completion.chunk")


def _openai_usage(usage: Usage) -> dict[str, Any]:
    total = usage.input + usage.output
    counts = {"prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": total}
    return {**counts, "prompt_tokens_details": {"cached_tokens": usage.cached}}


def _message(usage: Usage | None) -> dict[str, Any]:
    message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    if usage is not None:
        fresh = usage.input - usage.cached
        message["usage"] = {
            "input_tokens": fresh,
            "cache_read_input_tokens": usage.cached,
            "output_tokens": usage.output,
        }
    return {**message, "stop_sequence": None}


def _response(status: str, text: str, usage: Usage | None) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": [part]}
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status}
    if usage is None:
        return {**response, "output": [item], "usage": None}
    counts = {"input_tokens": usage.input, "output_tokens": usage.output, "total_tokens": usage.input + usage.output}
    details = {"input_tokens_details": {"cached_tokens": usage.cached}}
    return {**response, "output": [item], "usage": {**counts, **details}}


def _data(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


def _named(event: dict[str, Any]) -> bytes:
    return b"event: " + str(event["type"]).encode() + b"\n" + _data(event)
