"""Answers from a recording, for demos and for replaying a regression without a model. No network.

Matched by the request's content: the recorded prompt must stand verbatim in its messages.
"""

import time
from collections.abc import Mapping
from itertools import count
from typing import Any

import msgspec

from backends.backend import BackendError, Call, Method, Piece, Pulled
from backends.recording import Recording, RecordingError
from backends.route import Revision, Route
from backends.usage import Usage, UsageSource
from backends.wires import not_spoken

_CHUNK_CHARS = 64
_CHARS_PER_TOKEN = 4


class RecordedBackend:
    """Reads each recording once. Tokens are estimated at four characters each: a recording does not keep them."""

    def __init__(self) -> None:
        self._recordings: dict[tuple[str, str | None], Recording] = {}
        self._ids = count(1)

    async def start(self) -> None:
        """Recordings are read on first use."""

    async def send(self, route: Route, replica: str, call: Call) -> "RecordedAnswer":
        if call.wire != "chat":
            raise not_spoken(call.wire, ("chat",))
        text = _text(call)
        content = self._recording(route).answer_to(text)
        if content is None:
            raise BackendError("status", "unrecorded", status=422, body=_unrecorded(route))
        usage = Usage(-(-len(text) // _CHARS_PER_TOKEN), -(-len(content) // _CHARS_PER_TOKEN))
        head = {"id": f"chatcmpl-recorded-{next(self._ids)}", "created": int(time.time()), "model": route.model}
        return RecordedAnswer(head, content, usage, call)

    async def observe(self, route: Route, replica: str) -> Revision:
        return Revision(route.revision.declared, {"recording": self._recording(route).digest})

    async def load(self, route: Route, replica: str) -> None:
        """It does not say."""

    async def stored(self, route: Route, replica: str, method: Method, path: str) -> None:
        """Nothing is."""

    async def close(self) -> None:
        self._recordings.clear()

    def _recording(self, route: Route) -> Recording:
        key = (route.recording or "", route.prompts)
        if key not in self._recordings:
            try:
                self._recordings[key] = Recording(*key)
            except RecordingError as error:
                raise BackendError("malformed", str(error)) from error
        return self._recordings[key]


class RecordedAnswer(Pulled):
    """An answer in the chat wire, streamed in chunks of 64 characters or whole."""

    usage_source: UsageSource = "estimated"

    def __init__(self, head: Mapping[str, Any], content: str, usage: Usage, call: Call) -> None:
        self._head = head
        self._content = content
        self._include_usage = call.include_usage
        self.usage: Usage | None = usage
        self.streamed = call.stream
        self.content_type = "text/event-stream; charset=utf-8" if call.stream else "application/json"
        self.finished = False

    async def read(self) -> list[Piece]:
        if self.finished:
            return []
        self.finished = True
        return self._pieces() if self.streamed else [Piece(msgspec.json.encode(self._whole()), True)]

    def close(self) -> None:
        """Nothing is held."""

    def _pieces(self) -> list[Piece]:
        cuts = range(0, len(self._content), _CHUNK_CHARS)
        pieces = [self._chunk({"role": "assistant", "content": ""}, content=False)]
        pieces += [self._chunk({"content": self._content[at : at + _CHUNK_CHARS]}, content=True) for at in cuts]
        pieces.append(self._chunk({}, content=False, finish_reason="stop"))
        if self._include_usage:
            pieces.append(_event({**self._stream_head, "choices": [], "usage": self._usage_fields()}, content=False))
        return [*pieces, Piece(b"data: [DONE]\n\n", False)]

    def _chunk(self, delta: dict[str, str], *, content: bool, finish_reason: str | None = None) -> Piece:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return _event({**self._stream_head, "choices": [choice]}, content=content)

    @property
    def _stream_head(self) -> dict[str, Any]:
        return {**self._head, "object": "chat.completion.chunk"}

    def _whole(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self._content}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage_fields()}

    def _usage_fields(self) -> dict[str, int]:
        assert self.usage is not None
        prompt, completion = self.usage.input_tokens, self.usage.output_tokens
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _event(body: dict[str, Any], *, content: bool) -> Piece:
    return Piece(b"data: " + msgspec.json.encode(body) + b"\n\n", content)


def _text(call: Call) -> str:
    """All text of the messages, in order."""
    messages = msgspec.json.decode(call.fields.get("messages", msgspec.Raw(b"[]")))
    texts = []
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        parts = content if isinstance(content, list) else [{"text": content}]
        texts += [part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str)]
    return "\n".join(texts)


def _unrecorded(route: Route) -> bytes:
    message = f"the recording behind route '{route.name}' holds no answer to this request"
    return msgspec.json.encode({"error": {"message": message, "type": "invalid_request_error", "code": "unrecorded"}})
