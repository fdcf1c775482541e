"""HTTP/1.1 towards model servers, on httptools' parser: what the data path needs and nothing else.

It follows no redirect, reads no proxy variable, asks for no compression, and repeats nothing by itself. Why it is our
own: docs/decisions/007-clients-of-the-data-path.md.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httptools

_MAX_BODILESS_BYTES = 64 * 1024
_MAX_BUFFERED_BYTES = 256 * 1024
_FORBIDDEN = str.maketrans({"\r": None, "\n": None, "\0": None})


class ConnectFailed(OSError):
    """No connection: nothing was sent."""


class ConnectionBroke(OSError):
    """The connection ended, or what came is not HTTP, before the answer was complete."""


@dataclass(frozen=True)
class Origin:
    """A server's address, read once. ``base`` is what stands before every path."""

    secure: bool
    host: str
    port: int
    base: str
    authority: str

    @classmethod
    def of(cls, url: str) -> "Origin":
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        authority = parts.netloc.rpartition("@")[2]
        return cls(secure, parts.hostname or "", parts.port or (443 if secure else 80), parts.path, authority)

    @cached_property
    def key(self) -> tuple[bool, str, int]:
        return self.secure, self.host, self.port


class Client:
    """Keeps connections for the next request, ``idle_s`` long; ``connect_s`` bounds connecting.

    ``unix_socket``: where every server is found, whatever its address. ``tls`` replaces the system's trust. Belongs to
    one event loop.
    """

    def __init__(
        self,
        *,
        connect_s: float,
        idle_s: float = 15.0,
        unix_socket: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connect_s = connect_s
        self._idle_s = idle_s
        self._idle: dict[tuple[bool, str, int], list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._origins: dict[str, Origin] = {}
        self._unix_socket = unix_socket
        self._tls = tls
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def request(
        self, method: str, url: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> "Response":
        """Returns when the answer's head is here. ``url`` is the server's, ``path`` comes after it.

        Raises ``ConnectFailed``, ``ConnectionBroke``. Cancelled, it closes the connection at once.
        """
        origin = self._origins.get(url)
        if origin is None:
            origin = self._origins[url] = Origin.of(url)
        connection = self._take(origin) or await self._connect(origin)
        return await connection.exchange(_head(method, origin, path, headers, len(body)) + body)

    async def close(self) -> None:
        """Breaks off what is under way, and what is asked from now on."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._open):
            connection.abort()

    def _take(self, origin: Origin) -> "_Connection | None":
        idle = self._idle.get(origin.key)
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.is_usable(now):
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin) -> "_Connection":
        connection = _Connection(self, origin)
        try:
            await self._reach(origin, connection)
        except BaseException:
            connection.abort()  # it may have been made in this very moment
            raise
        return connection

    async def _reach(self, origin: Origin, connection: "_Connection") -> None:
        loop, tls = asyncio.get_running_loop(), self._tls_context() if origin.secure else None
        try:
            async with asyncio.timeout(self._connect_s):
                if self._unix_socket is not None:
                    await loop.create_unix_connection(lambda: connection, self._unix_socket)
                else:
                    await loop.create_connection(lambda: connection, origin.host, origin.port, ssl=tls)
        except TimeoutError as error:
            raise ConnectFailed(f"no connection to {origin.authority} in time") from error
        except OSError as error:
            raise ConnectFailed(f"cannot connect to {origin.authority}: {error.strerror or 'refused'}") from error
        except UnicodeError as error:
            raise ConnectFailed(f"{origin.authority} is no host name") from error

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def opened(self, connection: "_Connection") -> None:
        self._open.add(connection)
        if self._closed:
            connection.abort()

    def freed(self, connection: "_Connection", origin: Origin) -> None:
        loop = asyncio.get_running_loop()
        connection.usable_until = loop.time() + self._idle_s
        self._idle.setdefault(origin.key, []).append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_s, self._close_idle)

    def closed(self, connection: "_Connection", origin: Origin) -> None:
        self._open.discard(connection)
        idle = self._idle.get(origin.key, [])
        if connection in idle:
            idle.remove(connection)

    def _close_idle(self) -> None:
        self._sweep = None
        now = asyncio.get_running_loop().time()
        waiting = [connection for idle in self._idle.values() for connection in idle]
        for connection in waiting:
            if not connection.is_usable(now):
                connection.abort()
        if waiting:
            self._sweep = asyncio.get_running_loop().call_later(self._idle_s, self._close_idle)


class Response:
    """An answer whose head is here; header names are in lower case. Its body is read to the end, or it is closed."""

    __slots__ = ("_connection", "headers", "status")

    def __init__(self, connection: "_Connection", status: int, headers: Mapping[str, str]) -> None:
        self._connection: _Connection | None = connection
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


class _Connection(asyncio.Protocol):
    """One exchange at a time. The parser calls the ``on_`` methods while it is fed."""

    def __init__(self, client: Client, origin: Origin) -> None:
        self._client = client
        self._origin = origin
        self._transport: Any = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._error: ConnectionBroke | None = None
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
            self._client.freed(self, self._origin)
        else:
            self.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._client.opened(self)

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
        if self._head_here:
            self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._client.closed(self, self._origin)
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


def _head(method: str, origin: Origin, path: str, headers: Mapping[str, str], length: int) -> bytes:
    lines = [f"{method} {origin.base}{path} HTTP/1.1", f"host: {origin.authority}", "accept-encoding: identity"]
    lines += [f"{name}: {value}".translate(_FORBIDDEN) for name, value in headers.items()]
    if length or method == "POST":
        lines.append(f"content-length: {length}")
    return "\r\n".join((*lines, "", "")).encode("latin-1", "replace")
