"""Valkey on the request's road: one connection a worker, commands sent as they come, replies given out in that order.

redis-py takes a connection from a pool for each command and passes a dozen layers: a fifth of a request's CPU
(docs/decisions/007-clients-of-the-data-path.md). Here are hiredis' parser and a queue.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

Command = tuple[str | bytes | int, ...]


class ValkeyError(OSError):
    """Valkey cannot be reached, or answered a command with an error."""


@dataclass(frozen=True, slots=True)
class ValkeyAddress:
    """``path`` is a Unix socket's; else ``host`` and ``port``. ``hello`` is what a new connection says first."""

    path: str | None
    host: str
    port: int
    secure: bool
    hello: tuple[Command, ...] = field(repr=False)

    @classmethod
    def of(cls, url: str) -> "ValkeyAddress":
        """``redis://``, ``rediss://``, ``valkey://``, ``valkeys://`` or ``unix://``; user, password and database as
        usual: ``redis://user:password@host:6379/0``, ``unix:///path?db=0``.
        """
        parts = urlsplit(url)
        hello: list[Command] = []
        if parts.password is not None:
            user = (unquote(parts.username),) if parts.username else ()
            hello.append(("AUTH", *user, unquote(parts.password)))
        unix = parts.scheme == "unix"
        path = "" if unix else parts.path.strip("/")
        database = parse_qs(parts.query).get("db", [path])[-1]
        if database not in ("", "0"):
            hello.append(("SELECT", database))
        secure = parts.scheme in ("rediss", "valkeys")
        return cls(
            unquote(parts.path) if unix else None, parts.hostname or "", parts.port or 6379, secure, tuple(hello)
        )


class Valkey:
    """Belongs to one event loop. Connects when it is first asked, and again after a failure.

    A caller that leaves takes nobody's reply: its own comes and is dropped.
    """

    def __init__(self, url: str, *, connect_s: float, reply_s: float) -> None:
        """``connect_s`` bounds a connect. After ``reply_s`` without a reply the connection is given up."""
        self._address = ValkeyAddress.of(url)
        self._connect_s = connect_s
        self._reply_s = reply_s
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None
        self._closed = False

    async def ask(self, *command: str | bytes | int) -> Any:
        """The reply: bytes, an integer, a list or None. Raises ``ValkeyError``."""
        (reply,) = (await self._connected()).send([command])
        return _checked(await reply)

    async def ask_all(self, commands: list[Command]) -> list[Any]:
        """The replies, for the price of one round trip. Raises ``ValkeyError`` for the first that is an error."""
        if not commands:
            return []
        replies = (await self._connected()).send(commands)
        await replies[-1]
        return [_checked(reply.result()) for reply in replies]

    async def close(self) -> None:
        """Whoever waits, or asks from now on, gets ``ValkeyError``."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._connection is not None:
            self._connection.abort()

    async def _connected(self) -> "_Connection":
        connection = self._connection
        if connection is not None and connection.alive:
            return connection
        if self._closed:
            raise ValkeyError("the client is closed")
        connecting = self._connecting
        if connecting is None:
            connecting = self._connecting = asyncio.create_task(self._connect())
            connecting.add_done_callback(_look_at)
        await asyncio.wait((connecting,))  # several may wait for it, and any of them may leave
        if connecting.cancelled():
            raise ValkeyError("the client is closed")
        return connecting.result()

    async def _connect(self) -> "_Connection":
        loop, address = asyncio.get_running_loop(), self._address
        connection = _Connection(self._reply_s)
        try:
            async with asyncio.timeout(self._connect_s):
                if address.path is not None:
                    await loop.create_unix_connection(lambda: connection, address.path)
                else:
                    tls = ssl.create_default_context() if address.secure else None
                    await loop.create_connection(lambda: connection, address.host, address.port, ssl=tls)
                for reply in connection.send(address.hello):
                    _checked(await reply)
        except BaseException as error:
            connection.abort()
            if isinstance(error, TimeoutError):
                raise ValkeyError("no connection to Valkey in time") from error
            if isinstance(error, OSError | UnicodeError) and not isinstance(error, ValkeyError):
                raise ValkeyError(str(error)) from error
            raise
        finally:
            self._connecting = None
        self._connection = connection
        return connection


class _Connection(asyncio.Protocol):
    """One timer for all that wait: a deadline for each would cost as much as sending it."""

    def __init__(self, reply_s: float) -> None:
        self.alive = False
        self._reply_s = reply_s
        self._timer: asyncio.TimerHandle | None = None
        self._transport: Any = None
        self._replies = hiredis.Reader()
        self._waiting: deque[tuple[float, asyncio.Future[Any]]] = deque()

    def send(self, commands: Sequence[Command]) -> "list[asyncio.Future[Any]]":
        """In one write, and at once: somebody waits for it. A future for each reply. Raises ``ValkeyError``."""
        if not self.alive:
            raise ValkeyError("the connection to Valkey has ended")
        packed = [hiredis.pack_command(command) for command in commands]  # type: ignore[arg-type]  # its stub: of one
        loop = asyncio.get_running_loop()
        replies: list[asyncio.Future[Any]] = [loop.create_future() for _ in commands]
        now = loop.time()
        self._waiting += [(now, reply) for reply in replies]
        if self._timer is None:
            self._timer = loop.call_later(self._reply_s, self._look_at_oldest)
        self._transport.write(b"".join(packed))
        return replies

    def abort(self) -> None:
        self.alive = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.alive = True

    def data_received(self, data: bytes) -> None:
        try:
            self._replies.feed(data)
            while (reply := self._replies.gets()) is not False:
                _, waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_result(reply)
        except (hiredis.ProtocolError, IndexError):
            self.abort()  # not a Valkey, or no longer in step with us

    def connection_lost(self, error: Exception | None) -> None:
        self._fail("the connection to Valkey has ended")

    def _look_at_oldest(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        if not self._waiting:
            return
        due = self._waiting[0][0] + self._reply_s
        if due <= loop.time():
            self._fail("Valkey did not reply in time")
            self.abort()
        else:
            self._timer = loop.call_at(due, self._look_at_oldest)

    def _fail(self, why: str) -> None:
        self.alive = False
        if self._timer is not None:
            self._timer.cancel()
        for _, waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(ValkeyError(why))
                waiter.exception()  # looked at: it may be that nobody waits any more
        self._waiting.clear()


def _checked(reply: Any) -> Any:
    if isinstance(reply, hiredis.ReplyError):
        raise ValkeyError(str(reply))
    return reply


def _look_at(connecting: "asyncio.Task[_Connection]") -> None:
    """Nobody may be left to hear of a failure."""
    if not connecting.cancelled():
        connecting.exception()
