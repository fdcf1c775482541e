"""OpenAI's chat completions: what was produced, whether it is complete, what it used."""

import msgspec

from backends.backend import BackendError, Piece
from backends.sse import data_of
from backends.usage import Usage, UsageSource
from backends.wires.wire import Wire

DONE = b"[DONE]"
_NULL = msgspec.Raw(b"null")
_EMPTY = (b"null", b'""', b"[]")


class _Details(msgspec.Struct):
    """``cache_write_tokens`` is what routers say that have Claude behind them."""

    cached_tokens: int | None = 0
    cache_write_tokens: int | None = 0


class _Usage(msgspec.Struct):
    """What came out has its reasoning in it, and is not to be counted again."""

    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: _Details | None = None


class _Delta(msgspec.Struct):
    content: msgspec.Raw = _NULL
    tool_calls: msgspec.Raw = _NULL
    reasoning: msgspec.Raw = _NULL
    reasoning_content: msgspec.Raw = _NULL
    refusal: msgspec.Raw = _NULL
    function_call: msgspec.Raw = _NULL

    def produced(self) -> bool:
        return (
            bytes(self.content) not in _EMPTY
            or bytes(self.tool_calls) not in _EMPTY
            or bytes(self.reasoning) not in _EMPTY
            or bytes(self.reasoning_content) not in _EMPTY
            or bytes(self.refusal) not in _EMPTY
            or bytes(self.function_call) not in _EMPTY
        )


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    text: str = ""
    finish_reason: str | None = None

    def produced(self) -> bool:
        return bool(self.text) or (self.delta is not None and self.delta.produced())


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = _NULL


_decode_chunk = msgspec.json.Decoder(_Chunk).decode


def _usage(reported: _Usage) -> Usage:
    details = reported.prompt_tokens_details or _Details()
    return Usage.told(
        reported.prompt_tokens, reported.completion_tokens, details.cached_tokens, details.cache_write_tokens
    )


def whole_usage(body: bytes) -> Usage | None:
    """Usage of a whole answer; None when the provider gave none. Raises ``BackendError`` unless it is a JSON object."""
    try:
        chunk = _decode_chunk(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BackendError("malformed", f"the upstream's answer is not valid JSON: {error}") from error
    return _usage(chunk.usage) if chunk.usage else None


class ChatStream:
    """Follows one streamed chat answer, event by event."""

    def __init__(self, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._open: set[int] = set()
        self._began = False
        self._content_chunks = 0
        self._done = False
        self._usage: Usage | None = None
        self._usage_final = False

    @property
    def finished(self) -> bool:
        return self._began and not self._open

    @property
    def usage(self) -> Usage | None:
        """The provider's count, or else the chunks seen: one chunk is at least one token."""
        if self._usage is not None:
            return self._usage
        return Usage(output_tokens=self._content_chunks) if self._content_chunks else None

    @property
    def usage_source(self) -> UsageSource:
        if self._usage_final:
            return "provider"
        if self._usage is not None:
            return "last_seen"
        return "estimated" if self._content_chunks else "unknown"

    def read(self, frame: bytes) -> Piece:
        """What one event is to the client: its own bytes, or none for the usage chunk that only we asked for.

        Raises ``BackendError`` for an event that is not JSON, and for an upstream's error event.
        """
        data = data_of(frame)
        if data is None:
            return Piece(frame, False)
        if data == DONE:
            if not self.finished:
                raise BackendError("broken", "it ended without a finish reason")  # its mark would say that all is well
            self._done = True
            return Piece(frame, False)
        try:
            chunk = _decode_chunk(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BackendError("malformed", f"the upstream sent an event that is not a chat chunk: {error}") from error
        if bytes(chunk.error) != b"null":
            raise BackendError("status", "the upstream reported an error in its stream", body=bytes(data))
        return self._account(frame, chunk)

    def _account(self, frame: bytes, chunk: _Chunk) -> Piece:
        content = False
        for choice in chunk.choices or ():
            self._began = True
            if choice.finish_reason == "error":
                raise BackendError("status", "the upstream ended its stream with an error")
            if choice.finish_reason:
                self._open.discard(choice.index)
            else:
                self._open.add(choice.index)
            content = content or choice.produced()
        self._content_chunks += content
        if chunk.usage is not None:
            self._usage = _usage(chunk.usage)
            self._usage_final = not chunk.choices or self.finished
            if not chunk.choices and not self._include_usage:
                return Piece(b"", False)
        return Piece(frame, content)

    def ending(self) -> list[Piece]:
        if not self.finished or self._done:
            return []
        self._done = True
        return [Piece(b"data: " + DONE + b"\n\n", False)]


WIRE = Wire("chat", "/v1/chat/completions", ChatStream, whole_usage, usage_on_request=True)
