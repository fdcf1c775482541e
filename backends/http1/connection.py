"""A connection, and the answer that it carries."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import httptools

from backends.http1.origin import Origin

_MAX_BODILESS_BYTES = 64 * 1024
_MAX_BUFFERED_BYTES = 256 * 1024


class ConnectFailed(OSError):
    """No connection: nothing was sent."""


class ConnectionBroke(OSError):
    """The connection ended, or what came is not HTTP, before the answer was complete."""


class Pool(Protocol):
    """Where connections belong. Each tells it that it is open, free for another request, or closed."""

    def opened(self, connection: "Connection") -> None: ...

    def freed(self, connection: "Connection") -> None: ...

    def closed(self, connection: "Connection") -> None: ...


class Response:
    """An answer whose head is here; header names are in lower case. Its body is read to the end, or it is closed."""

    __slots__ = ("_connection", "headers", "status")

    def __init__(self, connection: "Connection", status: int, headers: Mapping[str, str]) -> None:
        self._connection: Connection | None = connection
        self.status = status
        self.headers = headers

    async def read(self) -> bytes:
        """What of the body has come since; empty at its end. Raises ``ConnectionBroke``."""
        connection = self._connection
        if connection is None:
            return b""
        while not connection.has_news:
            await connection.changed()
        return connection.take_body() or self._finish()

    async def pour(self, sink: Callable[[bytes], None]) -> None:
        """``sink`` gets every further part of the body as it comes; this returns at its end.

        Raises ``ConnectionBroke``, and what ``sink`` raises.
        """
        if self._connection is not None:
            await self._connection.pour(sink)
            self._finish()

    def _finish(self) -> bytes:
        connection, self._connection = self._connection, None
        assert connection is not None
        connection.free()
        return b""

    def close(self) -> None:
        """Ends the connection unless the answer has been read to its end."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None


class Connection(asyncio.Protocol):
    """One exchange at a time. The parser calls the ``on_`` methods while it is fed."""

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self._pool = pool
        self.origin = origin
        self._transport: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._sink: Callable[[bytes], None] | None = None
        self._busy = False
        self.usable_until = 0.0
        self._begin()

    def _begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._head_here = False
        self._complete = False
        self._reusable = False
        self._body: list[bytes] = []
        self._buffered = 0
        self._bodiless = 0
        self._paused = False

    def is_usable(self, now: float) -> bool:
        return self._error is None and now < self.usable_until and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> Response:
        self._begin()
        self._busy = True
        if self._error is None:  # a new connection may have ended before it is used: uvloop forbids to write then
            self._transport.write(request)
        try:
            while not self._head_here:
                await self.changed()
        except BaseException:
            self.abort()
            raise
        return Response(self, self._parser.get_status_code(), self._headers)

    @property
    def has_news(self) -> bool:
        return self._complete or bool(self._body)

    def take_body(self) -> bytes:
        parts, self._body = self._body, []
        self._buffered = self._bodiless = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def pour(self, sink: Callable[[bytes], None]) -> None:
        if self._body:
            sink(self.take_body())
        self._sink = sink
        try:
            while not self._complete:
                await self.changed()
        finally:
            self._sink = None

    def abort(self, why: str = "the connection was closed here") -> None:
        if self._error is None:
            self._error = ConnectionBroke(why)
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    async def changed(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def free(self) -> None:
        """The answer was read to its end: the connection waits for its next request, if it can have one."""
        self._busy = False
        if self._error is None and self._reusable and not self._transport.get_write_buffer_size():
            self._pool.freed(self)
        else:
            self.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        if not self._busy or self._complete:
            self.abort("the server spoke out of turn")
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
            self.abort("what came is not an HTTP answer")
            return
        if not self._buffered:  # a head, or what stands around a body
            self._bodiless += len(data)
            if self._bodiless > _MAX_BODILESS_BYTES:
                self.abort("the answer's headers are too long")
        elif self._buffered > _MAX_BUFFERED_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        if self._sink is not None:
            self._pour_out(self._sink)
        elif self._head_here:
            self._wake()

    def _pour_out(self, sink: Callable[[bytes], None]) -> None:
        try:
            if self._body:
                sink(self.take_body())
        except Exception as error:  # noqa: BLE001 (it is the reader's own, and is raised there)
            self._error, self._complete = error, False
        if self._complete or self._error is not None:
            self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.closed(self)
        if self._error is None:
            if error is None and self._head_here and self._ends_with_connection():
                self._complete = True
            self._error = ConnectionBroke("the connection ended before the answer was complete")
        self._wake()

    def _ends_with_connection(self) -> bool:
        return "content-length" not in self._headers and "transfer-encoding" not in self._headers

    # What the parser says.

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("one answer too many")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_here:
            return  # a trailer
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            self._head_here = True
        else:
            self._headers = {}

    def on_body(self, part: bytes) -> None:
        self._body.append(part)
        self._buffered += len(part)

    def on_message_complete(self) -> None:
        if self._head_here:
            self._complete = True
            self._reusable = self._parser.should_keep_alive()  # it knows only now
