"""Reading Anthropic's Messages wire: what an answer used, whether it is complete, and what an error says.

Everything that is billed or judged complete is taken from here, not from a translation.
"""

from typing import Literal, TypeVar

import msgspec

from backends.backend import BackendError
from backends.usage import Usage, UsageSource

ADDRESS = "https://api.anthropic.com"
VERSION = "2023-06-01"
_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""An error event in a stream has a type, but no status; https://platform.claude.com/docs/en/api/errors."""


class _CacheCreation(msgspec.Struct):
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    """``input_tokens`` are the fresh ones only. In a stream, what is given anew replaces what was given before."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens_details: _OutputDetails | None = None


class _Error(msgspec.Struct):
    type: str = "api_error"
    message: str = ""


class _ErrorBody(msgspec.Struct):
    error: _Error
    request_id: str | None = None


class _Message(msgspec.Struct):
    type: Literal["message"]
    id: str
    model: str
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str
    message: _Message | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: _Error | None = None


_T = TypeVar("_T")
_event = msgspec.json.Decoder(_Event)
_message = msgspec.json.Decoder(_Message)


class MessageReader:
    """Follows one answer, streamed or whole."""

    def __init__(self) -> None:
        self.id = ""
        self.model = ""
        self.stop_reason: str | None = None
        self._usage: _Usage | None = None
        self._usage_final = False
        self._deltas = 0

    def read_whole(self, body: bytes) -> None:
        """Raises ``BackendError`` unless it is a message."""
        message = _decoded(_message, body)
        self._begin(message)
        self.stop_reason = message.stop_reason
        self._usage_final = message.usage is not None

    def read_event(self, data: bytes) -> str:
        """An event's type. Raises ``BackendError`` for what is none, and for an error event."""
        event = _decoded(_event, data)
        if event.type == "error":
            raise _reported(event.error or _Error())
        if event.message is not None:
            self._begin(event.message)
        if event.type == "content_block_delta":
            self._deltas += 1
        if event.type == "message_delta":
            self.stop_reason = event.delta.stop_reason if event.delta else None
            self._usage_final = event.usage is not None
        if event.usage is not None:
            self._usage = _merged(self._usage, event.usage)
        return event.type

    @property
    def usage(self) -> Usage | None:
        """The provider's count; while a stream is under way, what came in, and at least one token for each delta."""
        seen = self._usage
        if seen is None:
            return None
        read, written = max(seen.cache_read_input_tokens or 0, 0), max(seen.cache_creation_input_tokens or 0, 0)
        kept = seen.cache_creation.ephemeral_1h_input_tokens if seen.cache_creation else None
        output = seen.output_tokens or 0
        return Usage.told(
            input_tokens=max(seen.input_tokens or 0, 0) + read + written,
            output_tokens=output if self._usage_final else max(output, self._deltas),
            cached_input_tokens=read,
            cache_write_tokens=written,
            cache_write_1h_tokens=kept,
        )

    @property
    def usage_source(self) -> UsageSource:
        if self._usage is None:
            return "unknown"
        return "provider" if self._usage_final else "last_seen"

    @property
    def thinking_tokens(self) -> int | None:
        """Those of the output that were thinking, where the provider says so."""
        details = self._usage.output_tokens_details if self._usage else None
        return details.thinking_tokens if details else None

    def _begin(self, message: _Message) -> None:
        self.id, self.model, self._usage = message.id, message.model, message.usage


def status_error(where: str, status: int, body: bytes, retry_after: float | None) -> BackendError:
    """An error answer, its body as it came."""
    said = _said(body, status)
    request = f", request {said.request_id[:64]}" if said.request_id else ""
    message = f"{where} answered {status} ({said.error.type[:64]}{request})"
    return BackendError("status", message, status=status, body=body, retry_after=retry_after)


def openai_body(body: bytes, status: int | None) -> bytes:
    """An error answer's body in the shape that OpenAI's clients read."""
    return _openai(_said(body, status).error)


def _said(body: bytes, status: int | None) -> _ErrorBody:
    try:
        return msgspec.json.decode(body, type=_ErrorBody)
    except (msgspec.DecodeError, RecursionError):
        return _ErrorBody(_Error(message=f"the provider answered {status}"))


def _reported(error: _Error) -> BackendError:
    status = _STATUSES.get(error.type, 500)
    return BackendError(
        "status", f"Claude reported an error in its stream ({error.type[:64]})", status=status, body=_openai(error)
    )


def _openai(error: _Error) -> bytes:
    shown = {"message": error.message, "type": error.type, "param": None, "code": error.type}
    return msgspec.json.encode({"error": shown})


def _decoded(decoder: "msgspec.json.Decoder[_T]", data: bytes) -> _T:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BackendError("malformed", f"Claude sent what is not of the Messages wire: {error}") from error


def _merged(before: _Usage | None, now: _Usage) -> _Usage:
    if before is None:
        return now
    given = {name: value for name in _Usage.__struct_fields__ if (value := getattr(now, name)) is not None}
    return msgspec.structs.replace(before, **given)
