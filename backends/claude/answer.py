"""Claude's answers in the chat wire, as OpenAI's clients read them."""

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec

from backends.backend import BackendError, Piece, Pulled
from backends.claude.http import translate
from backends.claude.wire import MessageReader
from backends.sse import FrameTooLong, data_of
from backends.upstream_http import EventReader
from backends.usage import Usage, UsageSource
from backends.wires.chat import DONE

if TYPE_CHECKING:
    from backends.claude.translator import ChatMessage, StreamTranslator

_IDS = {"chat.completion": "chatcmpl", "chat.completion.chunk": "chatcmpl", "text_completion": "cmpl"}
"""How OpenAI's ids begin, by object."""
_ALIVE = Piece(b": claude is at work\n\n", False)
_NOTHING = Piece(b"", False)
_END = Piece(b"data: " + DONE + b"\n\n", False)


class WholeAnswer(Pulled, ABC):
    """An answer that is here as a whole; ``_body`` says how the client reads it."""

    content_type = "application/json"
    streamed = False
    finished = True

    def __init__(self, reader: MessageReader) -> None:
        self._reader = reader
        self._given = False

    @property
    def usage(self) -> Usage | None:
        return self._reader.usage

    @property
    def usage_source(self) -> UsageSource:
        return self._reader.usage_source

    async def read(self) -> list[Piece]:
        if self._given:
            return []
        self._given = True
        return [Piece(msgspec.json.encode(self._body()), True)]

    def close(self) -> None:
        """It is here already."""

    @abstractmethod
    def _body(self) -> dict[str, Any]: ...


class WholeMessage(WholeAnswer):
    kind = "chat.completion"

    def __init__(self, answer: "ChatMessage", reader: MessageReader) -> None:
        super().__init__(reader)
        self._answer = answer

    def _body(self) -> dict[str, Any]:
        finish_reason = _finish_reason(self._reader, self._answer.finish_reason)
        choice = self._choice(self._answer.message, finish_reason)
        return {**_head(self._reader, self.kind), "choices": [choice], "usage": _usage(self._reader)}

    def _choice(self, message: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        said = {**message, "refusal": None, "annotations": []}
        return {"index": 0, "message": said, "logprobs": None, "finish_reason": finish_reason}


class MessageEvents(Pulled, ABC):
    """A streamed message, read event by event; ``_look`` and ``_last`` say what becomes of it."""

    content_type = "text/event-stream; charset=utf-8"
    streamed = True

    def __init__(self, response: aiohttp.ClientResponse, max_bytes: int) -> None:
        self._response = response
        self._reader = MessageReader()
        self._events = EventReader(response.content.readany, max_bytes, self._look)
        self._ended = False

    @property
    def usage(self) -> Usage | None:
        return self._reader.usage

    @property
    def usage_source(self) -> UsageSource:
        return self._reader.usage_source

    @property
    def finished(self) -> bool:
        return self._reader.stop_reason is not None

    async def read(self) -> list[Piece]:
        try:
            return await self._events.read() or self._ending()
        except (aiohttp.ClientError, OSError) as error:
            raise translate(error, self._response.url.authority, started=True) from error
        except FrameTooLong as error:
            raise BackendError("malformed", f"Claude sent {error}") from error

    def close(self) -> None:
        self._response.close()

    def _ending(self) -> list[Piece]:
        if self._ended or not self.finished:
            return []
        self._ended = True
        return self._last()

    @abstractmethod
    def _look(self, frame: bytes) -> Piece:
        """What one event is to the client. Raises ``BackendError``."""

    @abstractmethod
    def _last(self) -> list[Piece]:
        """What follows the last event of a whole answer."""


class StreamedMessage(MessageEvents):
    """An answer in chunks."""

    kind = "chat.completion.chunk"

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        translator: "StreamTranslator",
        include_usage: bool,
        max_bytes: int,
    ) -> None:
        super().__init__(response, max_bytes)
        self._translator = translator
        self._include_usage = include_usage
        self._head: dict[str, Any] = {}

    def _look(self, frame: bytes) -> Piece:
        data = data_of(frame)
        kind = self._reader.read_event(data) if data is not None else "ping"
        if kind == "ping":
            return _ALIVE
        assert data is not None
        if kind == "message_start":
            self._head = _head(self._reader, self.kind)
            return self._chunk({"role": "assistant", "content": ""}, content=False)
        made, translated = self._translator.read(data)
        finish_reason = _finish_reason(self._reader, translated)
        if finish_reason is not None or made:
            return self._chunk(made, content=bool(made), finish_reason=finish_reason)
        return _NOTHING

    def _last(self) -> list[Piece]:
        if not self._include_usage:
            return [_END]
        return [_event({**self._head, "choices": [], "usage": _usage(self._reader)}, content=False), _END]

    def _chunk(self, delta: dict[str, Any], *, content: bool, finish_reason: str | None = None) -> Piece:
        return _event({**self._head, "choices": [self._choice(delta, finish_reason)]}, content=content)

    def _choice(self, delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": finish_reason}


def _finish_reason(reader: MessageReader, translated: str | None) -> str | None:
    """LiteLLM's word, but for the one that it calls a good end although the answer is cut off."""
    if reader.stop_reason is None or translated is None:
        return None
    return "length" if reader.stop_reason == "model_context_window_exceeded" else translated


def _event(body: dict[str, Any], *, content: bool) -> Piece:
    return Piece(b"data: " + msgspec.json.encode(body) + b"\n\n", content)


def _head(reader: MessageReader, kind: str) -> dict[str, Any]:
    number = reader.id.removeprefix("msg_")
    return {"id": f"{_IDS[kind]}-{number}", "object": kind, "created": int(time.time()), "model": reader.model}


def _usage(reader: MessageReader) -> dict[str, Any]:
    usage = reader.usage or Usage()
    fields: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
    }
    if reader.thinking_tokens is not None:
        fields["completion_tokens_details"] = {"reasoning_tokens": reader.thinking_tokens}
    return fields
