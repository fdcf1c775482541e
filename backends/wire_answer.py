"""Forwarding on one wire: the client's body goes up with two fields spliced, the answer comes down as it is."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from backends.backend import BackendError, Call, Deliver, Piece
from backends.sse import FrameTooLong
from backends.upstream_http import EventReader, Pour, Read, whole_body
from backends.usage import Usage, UsageSource
from backends.wires import Wire

_STREAM_OPTIONS_USAGE = msgspec.Raw(b'{"include_usage":true}')


class WireAnswer:
    """An answer whose head has arrived: events as they come, or the whole body as one piece.

    ``where`` names the server in messages; ``max_bytes`` cuts an endless answer; ``pour`` is a
    shorter way than ``read``, where the client has one.
    """

    def __init__(
        self,
        wire: Wire,
        include_usage: bool,
        content_type: str,
        read: Read,
        close: Callable[[], None],
        where: str,
        max_bytes: int,
        pour: Pour | None = None,
    ) -> None:
        self._wire = wire
        self._pour = pour
        self._read_body = read
        self._close = close
        self._where = where
        self._max_bytes = max_bytes
        self._stream = wire.stream(include_usage)
        self._events = EventReader(read, max_bytes, self._stream.read)
        self._whole_usage: Usage | None = None
        self._whole_here = False
        self.content_type = content_type
        self.streamed = content_type.startswith("text/event-stream")

    @property
    def usage(self) -> Usage | None:
        return self._stream.usage if self.streamed else self._whole_usage

    @property
    def usage_source(self) -> UsageSource:
        if self.streamed:
            return self._stream.usage_source
        return "provider" if self._whole_usage else "unknown"

    @property
    def finished(self) -> bool:
        return self._stream.finished if self.streamed else self._whole_here

    async def read(self) -> list[Piece]:
        with self._translated():
            if self.streamed:
                return await self._events.read() or self._ending()
            return [] if self._whole_here else [await self._whole()]

    async def read_into(self, deliver: Deliver) -> None:
        if self._pour is not None and self.streamed:
            with self._translated():
                await self._events.pour(self._pour, deliver)
        while batch := await self.read():
            deliver(batch)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BackendError("broken", f"{self._where}: {error}") from error
        except FrameTooLong as error:
            raise BackendError("malformed", f"the upstream sent {error}") from error

    def close(self) -> None:
        self._close()

    def _ending(self) -> list[Piece]:
        """After the last event: one without its blank line, and what clients wait for where it is missing."""
        rest = self._events.rest()
        pieces = [self._stream.read(rest + b"\n\n")] if rest.strip() else []
        return [piece for piece in pieces if piece.data] + self._stream.ending()

    async def _whole(self) -> Piece:
        try:
            body = await whole_body(self._read_body, self._max_bytes)
        except OSError as error:
            raise BackendError(
                "malformed", f"{self._where}: {error}"
            ) from error  # it was made: no connection's trouble
        except BackendError as error:
            raise BackendError("malformed", str(error)) from error
        self._whole_usage = self._wire.whole_usage(body)
        self._whole_here = True
        return Piece(body, True)


def spliced(call: Call, wire: Wire, model: str) -> dict[str, msgspec.Raw]:
    """The body that goes up: the upstream's own name of the model, and usage asked for where streams need that."""
    fields = dict(call.fields)
    fields["model"] = msgspec.Raw(msgspec.json.encode(model))
    if wire.usage_on_request and call.stream and not call.include_usage:
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    return fields


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    """The client's stream options with usage asked for; what is not an object is the upstream's to refuse."""
    asked = msgspec.json.decode(options) if options else None
    if asked is None:
        return _STREAM_OPTIONS_USAGE
    if not isinstance(asked, dict):
        return options or _STREAM_OPTIONS_USAGE
    return msgspec.Raw(msgspec.json.encode({**asked, "include_usage": True}))
