"""Anthropic's Messages, and the counting of their tokens, as any server speaks them."""

from backends.backend import BackendError, Piece
from backends.claude.wire import MessageReader
from backends.sse import data_of
from backends.usage import Usage, UsageSource
from backends.wires.wire import Wire

_CONTENT = frozenset(("content_block_start", "content_block_delta"))


class MessageStream:
    """Complete with ``message_stop`` after a stop reason."""

    def __init__(self, _: bool) -> None:
        self._reader = MessageReader()
        self._stopped = False

    @property
    def finished(self) -> bool:
        return self._stopped and self._reader.stop_reason is not None

    @property
    def usage(self) -> Usage | None:
        return self._reader.usage

    @property
    def usage_source(self) -> UsageSource:
        return self._reader.usage_source

    def read(self, frame: bytes) -> Piece:
        data = data_of(frame)
        if data is None:
            return Piece(frame, False)
        try:
            kind = self._reader.read_event(data)
        except BackendError as error:
            error.body = data if error.kind == "status" else error.body
            raise
        self._stopped = self._stopped or kind == "message_stop"
        return Piece(frame, kind in _CONTENT)

    def ending(self) -> list[Piece]:
        return []


def whole_usage(body: bytes) -> Usage | None:
    reader = MessageReader()
    reader.read_whole(body)
    return reader.usage


def _nothing(_: bytes) -> Usage:
    return Usage()


WIRE = Wire("messages", "/v1/messages", MessageStream, whole_usage)
COUNT_TOKENS = Wire("count_tokens", "/v1/messages/count_tokens", MessageStream, _nothing)
