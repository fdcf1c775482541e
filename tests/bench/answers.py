"""What the model server says on each wire, and how to tell that all of it arrived.

The same shape everywhere: 66 writes, the opening, 64 tokens and the closing, in the events that each wire has for them.
"""

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.bench.questions import PATHS, WireName

TEXT = "x" * 600
TOKEN = " tok"
CHUNKS = 66
"""Writes of a stream, and in chat as many events; `[DONE]` comes on top."""

_TOKENS = CHUNKS - 2
_USAGE = {"prompt_tokens": 500, "completion_tokens": 120, "total_tokens": 620}
_INPUT_OUTPUT = {"input_tokens": 500, "output_tokens": 120}
_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """``whole`` is a body; ``stream`` the data of a stream's writes; ``usage`` an event for who asks, ``end`` the last.

    ``proof`` is in every whole body. A right stream has each of ``marks`` so many times, and ends with ``last``.
    """

    whole: bytes
    proof: bytes
    stream: tuple[bytes, ...] = ()
    usage: bytes = b""
    end: bytes = b""
    marks: tuple[tuple[bytes, int], ...] = ()
    last: bytes = b""

    def trouble(self, body: bytes, *, stream: bool) -> str | None:
        """What is wrong with a body that came; None where nothing is."""
        if not stream:
            return None if self.proof in body else f"not the answer: {body[:300]!r}"
        wrong = [f"{body.count(mark)} of {count} {mark!r}" for mark, count in self.marks if body.count(mark) != count]
        if wrong or not body.endswith(self.last):
            return f"{', '.join(wrong)}; the end is {body[-300:]!r}"
        return None


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _data(event: dict[str, Any]) -> bytes:
    return b"data: " + _json(event) + b"\n\n"


def _named(event: dict[str, Any]) -> bytes:
    return b"event: " + str(event["type"]).encode() + b"\n" + _data(event)


def _joined(events: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(map(_named, events))


def _openai(kind: str, object_name: str, said: dict[str, Any], delta: Callable[[str | None], dict[str, Any]]) -> Answer:
    """Chat and completions: ``said`` is the whole answer's choice, ``delta`` a chunk's; None opens the stream."""

    def chunk(choice: dict[str, Any] | None, **more: Any) -> bytes:
        choices = [] if choice is None else [{"index": 0, "logprobs": None, **choice}]
        return _data({"id": "c", "object": object_name, "created": 1, "model": "m", "choices": choices, **more})

    whole = {"id": "c", "object": kind, "created": 1, "model": "m"}
    choice = {"index": 0, **said, "finish_reason": "stop"}
    opening, token, closing = delta(None), delta(TOKEN), delta("")
    return Answer(
        _json({**whole, "choices": [choice], "usage": _USAGE}),
        TEXT.encode(),
        (
            chunk({**opening, "finish_reason": None}),
            *[chunk({**token, "finish_reason": None})] * _TOKENS,
            chunk({**closing, "finish_reason": "stop"}),
        ),
        usage=chunk(None, usage=_USAGE),
        end=_DONE,
        marks=((_json(TOKEN), _TOKENS), (b'"stop"', 1)),
        last=_DONE,
    )


def _chat_delta(text: str | None) -> dict[str, Any]:
    if text is None:
        return {"delta": {"role": "assistant", "content": ""}}
    return {"delta": {"content": text} if text else {}}


def _responses() -> Answer:
    part: dict[str, Any] = {"type": "output_text", "text": TEXT, "annotations": [], "logprobs": None}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    whole = {**response, "output": [item], "usage": {**_INPUT_OUTPUT, "total_tokens": 620}}
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    nothing = {**item, "status": "in_progress", "content": []}
    opening = (
        {"type": "response.created", "response": begun, "sequence_number": 0},
        {"type": "response.in_progress", "response": begun, "sequence_number": 1},
        {"type": "response.output_item.added", "output_index": 0, "item": nothing, "sequence_number": 2},
        {"type": "response.content_part.added", **where, "part": {**part, "text": ""}, "sequence_number": 3},
    )
    token = {"type": "response.output_text.delta", **where, "delta": TOKEN, "logprobs": []}
    closing = (
        {"type": "response.output_text.done", **where, "text": TEXT, "logprobs": [], "sequence_number": 68},
        {"type": "response.content_part.done", **where, "part": part, "sequence_number": 69},
        {"type": "response.output_item.done", "output_index": 0, "item": item, "sequence_number": 70},
        {"type": "response.completed", "response": whole, "sequence_number": 71},
    )
    tokens = (_named({**token, "sequence_number": 4 + number}) for number in range(_TOKENS))
    return Answer(
        _json(whole),
        TEXT.encode(),
        (_joined(opening), *tokens, _joined(closing)),
        marks=((_json(TOKEN), _TOKENS), (b"event: response.completed\n", 1)),
        last=_named(closing[-1]),
    )


def _messages() -> Answer:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_sequence": None}
    whole = {**message, "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn", "usage": _INPUT_OUTPUT}
    begun: dict[str, Any] = {
        **message,
        "content": [],
        "stop_reason": None,
        "usage": {**_INPUT_OUTPUT, "output_tokens": 1},
    }
    opening = (
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    )
    token = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TOKEN}}
    stopped = {"stop_reason": "end_turn", "stop_sequence": None}
    closing = (
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": 120}},
        {"type": "message_stop"},
    )
    return Answer(
        _json(whole),
        TEXT.encode(),
        (_joined(opening), *[_named(token)] * _TOKENS, _joined(closing)),
        marks=((_json(TOKEN), _TOKENS), (b'"end_turn"', 1)),
        last=_named(closing[-1]),
    )


def _embeddings() -> Answer:
    vector = base64.b64encode(bytes(range(256)) * 16).decode()  # 1,024 floats
    data = [{"object": "embedding", "index": number, "embedding": vector} for number in range(2)]
    usage = {"prompt_tokens": 500, "total_tokens": 500}
    return Answer(_json({"object": "list", "data": data, "model": "m", "usage": usage}), vector.encode())


ANSWERS: dict[WireName, Answer] = {
    "chat": _openai(
        "chat.completion",
        "chat.completion.chunk",
        {"message": {"role": "assistant", "content": TEXT}},
        _chat_delta,
    ),
    "completions": _openai("text_completion", "text_completion", {"text": TEXT}, lambda text: {"text": text or ""}),
    "responses": _responses(),
    "messages": _messages(),
    "embeddings": _embeddings(),
}
BY_PATH = {PATHS[wire].encode(): answer for wire, answer in ANSWERS.items()}
