"""An answer on the Responses wire as it arrives, as far as it is read here."""

import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from backends.usage import Usage
from evaluator.replaying.answer import Answer, BrokenAnswer, events

_FINISH = {"completed": "stop", "incomplete": "length"}
"""A response's status in the words of chat."""


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Details | None = None

    def usage(self) -> Usage:
        details = self.input_tokens_details or _Details()
        return Usage(self.input_tokens or 0, self.output_tokens or 0, details.cached_tokens or 0)


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


class _Item(msgspec.Struct):
    type: str = ""
    content: list[_Part] | None = None


class _Response(msgspec.Struct):
    status: str | None = None
    output: list[_Item] | None = None
    usage: _Usage | None = None
    error: dict[str, Any] | None = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: str | dict[str, Any] | None = None
    response: _Response | None = None
    error: dict[str, Any] | None = None
    message: str | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_response = msgspec.json.Decoder(_Response).decode
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


async def read_response_stream(chunks: AsyncIterator[bytes], headers: Mapping[str, str], started: float) -> Answer:
    """Reads until the response is complete. Raises BrokenAnswer after an error, or an end without that."""
    text: list[str] = []
    first: float | None = None
    async for data in events(chunks):
        if data == b"[DONE]":
            break
        event = _event(data)
        if event.type.endswith(".delta") and event.delta and first is None:
            first = time.perf_counter()
        if event.type == "response.output_text.delta" and isinstance(event.delta, str):
            text.append(event.delta)
        if event.response is not None and event.response.status in _FINISH:
            return _answer("".join(text), event.response, headers, started, first)
    raise BrokenAnswer("the stream ended before the response was complete")


def read_response(body: bytes, headers: Mapping[str, str], started: float) -> Answer:
    """A whole response; there is no first token to time."""
    try:
        response = _decode_response(body)
    except _UNREADABLE as error:
        raise BrokenAnswer(f"not a response: {error}") from error
    if response.status not in _FINISH:
        raise BrokenAnswer(f"the response is {response.status}: {(response.error or {}).get('message')}")
    parts = (part for item in response.output or () if item.type == "message" for part in item.content or ())
    text = "".join(part.text or "" for part in parts if part.type == "output_text")
    return _answer(text, response, headers, started, None)


def _event(data: bytes) -> _Event:
    try:
        event = _decode_event(data)
    except _UNREADABLE as error:
        raise BrokenAnswer(f"not an event of a response: {error}") from error
    if event.type in ("error", "response.failed"):
        told = event.error or (event.response.error if event.response is not None else None) or {}
        raise BrokenAnswer(f"broke off: {told.get('message') or event.message}")
    return event


def _answer(text: str, response: _Response, headers: Mapping[str, str], started: float, first: float | None) -> Answer:
    return Answer(
        text=text,
        finish_reason=_FINISH[response.status or ""],
        usage=response.usage.usage() if response.usage else None,
        ttft_ms=None if first is None else (first - started) * 1000,
        total_ms=(time.perf_counter() - started) * 1000,
        headers=headers,
    )
