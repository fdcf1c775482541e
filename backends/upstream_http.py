"""Bodies of model servers' answers, bounded and cut into events, whichever client reads them."""

from collections.abc import Awaitable, Callable, Mapping

from backends.backend import BackendError, Deliver, Piece
from backends.sse import Framer

_MAX_ERROR_BODY = 64 * 1024
_LONGEST_WAIT_S = 7 * 24 * 3600.0  # a server may say "inf"

Read = Callable[[], Awaitable[bytes]]
"""What of a body has come since it was asked last; empty at its end."""

Pour = Callable[[Callable[[bytes], None]], Awaitable[None]]
"""Hands over every further part of a body as it comes, and returns at its end. Raises what it is told to hand to."""


def too_long(limit: int) -> BackendError:
    return BackendError("malformed", f"the answer grew beyond {limit} bytes and was cut")


async def whole_body(read: Read, limit: int) -> bytes:
    """Raises ``BackendError`` as soon as it is longer than ``limit`` bytes."""
    body = await _capped(read, limit)
    if body is None:
        raise too_long(limit)
    return body


async def error_body(read: Read) -> bytes:
    """What an error answer says; nothing where it breaks off or is huge."""
    try:
        return await _capped(read, _MAX_ERROR_BODY) or b""
    except OSError:
        return b""


class EventReader:
    """What ``look`` makes of a stream's events; no data where one is not the client's. ``limit``: an answer's bytes."""

    def __init__(self, read: Read, limit: int, look: Callable[[bytes], Piece]) -> None:
        self._read = read
        self._limit = limit
        self._look = look
        self._framer = Framer()
        self._seen = 0
        self._trouble: BackendError | None = None

    async def read(self) -> list[Piece]:
        """A network read's pieces; empty at the end.

        Raises ``BackendError``: at once beyond the limit, and what ``look`` raises once the pieces before it are out.
        """
        while self._trouble is None and (chunk := await self._read()):
            if pieces := self._pieces(chunk):
                return pieces
        if self._trouble is not None:
            raise self._trouble
        return []

    async def pour(self, pour: Pour, deliver: Deliver) -> None:
        """The same of all that is left, without a task to be woken for each part."""

        def take(chunk: bytes) -> None:
            if pieces := self._pieces(chunk):
                deliver(pieces)
            if self._trouble is not None:
                raise self._trouble

        if self._trouble is not None:
            raise self._trouble
        await pour(take)

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return self._framer.rest()

    def _pieces(self, chunk: bytes) -> list[Piece]:
        self._seen += len(chunk)
        if self._seen > self._limit:
            raise too_long(self._limit)
        frames = self._framer.feed(chunk)
        pieces: list[Piece] = []
        try:
            for frame in frames:
                piece = self._look(frame)
                if piece.data:
                    pieces.append(piece)
        except BackendError as trouble:
            self._trouble = trouble
        return pieces


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The header's seconds; the date form is rare among model servers and counts as absent."""
    header = headers.get("retry-after")
    try:
        return min(max(0.0, float(header)), _LONGEST_WAIT_S) if header else None
    except ValueError:
        return None


async def _capped(read: Read, limit: int) -> bytes | None:
    parts: list[bytes] = []
    length = 0
    while part := await read():
        parts.append(part)
        length += len(part)
        if length > limit:
            return None
    return parts[0] if len(parts) == 1 else b"".join(parts)
