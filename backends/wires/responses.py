"""OpenAI's Responses."""

import msgspec

from backends.backend import BackendError, Piece
from backends.sse import data_of
from backends.usage import Usage, UsageSource
from backends.wires.chat import DONE
from backends.wires.wire import Wire

_ENDS = frozenset(("response.completed", "response.incomplete"))
_FAILURES = frozenset(("error", "response.failed"))


class _Details(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Usage(msgspec.Struct):
    """What came out has its reasoning in it, and is not to be counted again."""

    input_tokens: int | None = 0
    output_tokens: int | None = 0
    input_tokens_details: _Details | None = None


class _Response(msgspec.Struct):
    usage: _Usage | None = None


class _Event(msgspec.Struct):
    type: str = ""
    response: _Response | None = None


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_response = msgspec.json.Decoder(_Response).decode


class ResponseStream:
    """Complete with ``response.completed`` or ``response.incomplete``."""

    def __init__(self, _: bool) -> None:
        self.finished = False
        self._usage: Usage | None = None
        self._deltas = 0

    @property
    def usage(self) -> Usage | None:
        """The provider's count, or else the deltas seen: one is at least one token."""
        return self._usage or (Usage(output_tokens=self._deltas) if self._deltas else None)

    @property
    def usage_source(self) -> UsageSource:
        if self._usage is not None:
            return "provider"
        return "estimated" if self._deltas else "unknown"

    def read(self, frame: bytes) -> Piece:
        data = data_of(frame)
        if data is None or data == DONE:
            return Piece(frame, False)
        try:
            event = _decode_event(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise BackendError("malformed", f"the upstream sent what is no Responses event: {error}") from error
        if event.type in _FAILURES:
            raise BackendError("status", "the upstream reported an error in its stream", body=data)
        if event.type in _ENDS:
            self.finished = True
            self._usage = _usage(event.response)
        made = event.type.endswith(".delta")
        self._deltas += made
        return Piece(frame, made)

    def ending(self) -> list[Piece]:
        return []


def whole_usage(body: bytes) -> Usage | None:
    try:
        return _usage(_decode_response(body))
    except (msgspec.DecodeError, RecursionError) as error:
        raise BackendError("malformed", f"the upstream's answer is not valid JSON: {error}") from error


def _usage(response: _Response | None) -> Usage | None:
    said = response.usage if response is not None else None
    if said is None:
        return None
    details = said.input_tokens_details or _Details()
    return Usage.told(said.input_tokens, said.output_tokens, details.cached_tokens, details.cache_write_tokens)


WIRE = Wire("responses", "/v1/responses", ResponseStream, whole_usage)
