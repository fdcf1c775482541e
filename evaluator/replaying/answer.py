"""A chat completion as it arrives: its text, its times, and what the response headers say of it."""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from backends.sse import Framer, FrameTooLong, data_of
from backends.usage import Usage


class BrokenAnswer(Exception):
    """The status was 200, but no whole answer followed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Times are milliseconds from sending the request, measured here; ``headers`` are the response's."""

    text: str
    finish_reason: str | None
    usage: Usage | None
    ttft_ms: float | None
    """Until the first content event: no comment, nor a chunk that only names the role. None if not streamed."""
    total_ms: float
    headers: Mapping[str, str]


class _TokenDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _WireUsage(msgspec.Struct):
    """OpenAI's usage object."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _TokenDetails | None = None

    def usage(self) -> Usage:
        details = self.prompt_tokens_details or _TokenDetails()
        return Usage(self.prompt_tokens or 0, self.completion_tokens or 0, details.cached_tokens or 0)


class _Choice(msgspec.Struct):
    delta: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    """A chunk or a whole completion, as far as it is read here."""

    choices: list[_Choice] | None = None
    usage: _WireUsage | None = None
    error: dict[str, Any] | str | None = None


_decoder = msgspec.json.Decoder(_Completion)


@dataclass(slots=True)
class _Reading:
    started: float
    text: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage | None = None
    first_content: float | None = None

    def take(self, chunk: _Completion) -> None:
        if chunk.usage:
            self.usage = chunk.usage.usage()
        for choice in (chunk.choices or ())[:1]:
            delta = choice.delta or {}
            if self.first_content is None and any(value for key, value in delta.items() if key != "role"):
                self.first_content = time.perf_counter()
            self.text.append(_text(delta))
            self.finish_reason = choice.finish_reason or self.finish_reason

    def answer(self, headers: Mapping[str, str]) -> Answer:
        first = self.first_content
        return Answer(
            text="".join(self.text),
            finish_reason=self.finish_reason,
            usage=self.usage,
            ttft_ms=None if first is None else (first - self.started) * 1000,
            total_ms=(time.perf_counter() - self.started) * 1000,
            headers=headers,
        )


async def read_stream(chunks: AsyncIterator[bytes], headers: Mapping[str, str], started: float) -> Answer:
    """Reads chunks until ``[DONE]``. Raises BrokenAnswer after an error event, or an end without a finish reason."""
    reading = _Reading(started)
    async for data in events(chunks):
        if data == b"[DONE]":
            break
        reading.take(_decoded(data))
    if reading.finish_reason is None:
        raise BrokenAnswer("the stream ended without a finish reason")
    return reading.answer(headers)


def read_whole(body: bytes, headers: Mapping[str, str], started: float) -> Answer:
    """A server that was asked to stream may still answer whole; there is no first token to time then."""
    completion = _decoded(body)
    if not completion.choices:
        raise BrokenAnswer("the answer holds no choice")
    choice = completion.choices[0]
    return Answer(
        text=_text(choice.message or {}),
        finish_reason=choice.finish_reason,
        usage=completion.usage.usage() if completion.usage else None,
        ttft_ms=None,
        total_ms=(time.perf_counter() - started) * 1000,
        headers=headers,
    )


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of each event of a stream. Raises BrokenAnswer."""
    framer = Framer()
    async for chunk in chunks:
        try:
            frames = framer.feed(chunk)
        except FrameTooLong as error:
            raise BrokenAnswer(str(error)) from error
        for frame in frames:
            if (data := data_of(frame)) is not None:
                yield data


def _text(message: Mapping[str, Any]) -> str:
    """The text of a message or delta; tool calls and reasoning are no answer to a task."""
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _decoded(data: bytes) -> _Completion:
    try:
        completion = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenAnswer(f"not a chat completion: {error}") from error
    if completion.error is not None:
        told = completion.error
        raise BrokenAnswer(f"broke off: {told.get('message') if isinstance(told, dict) else told}")
    return completion
