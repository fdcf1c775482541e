"""The client: connections by server, opened when they are needed and kept for a while."""

import asyncio
import ssl
from collections.abc import Mapping

from backends.http1.connection import ConnectFailed, Connection, Response
from backends.http1.origin import Origin


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
        self._idle: dict[tuple[bool, str, int], list[Connection]] = {}
        self._open: set[Connection] = set()
        self._origins: dict[str, Origin] = {}
        self._unix_socket = unix_socket
        self._tls = tls
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def request(
        self, method: str, url: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Response:
        """Returns when the answer's head is here. ``url`` is the server's, ``path`` comes after it.

        Raises ``ConnectFailed``, ``ConnectionBroke``. Cancelled, it closes the connection at once.
        """
        origin = self._origins.get(url)
        if origin is None:
            origin = self._origins[url] = Origin.of(url)
        connection = self._take(origin) or await self._connect(origin)
        return await connection.exchange(origin.head(method, path, headers, len(body)) + body)

    async def close(self) -> None:
        """Breaks off what is under way, and what is asked from now on."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._open):
            connection.abort()

    def _take(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin.key)
        now = asyncio.get_running_loop().time()
        while idle:
            connection = idle.pop()
            if connection.is_usable(now):
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin) -> Connection:
        connection = Connection(self, origin)
        try:
            await self._reach(origin, connection)
        except BaseException:
            connection.abort()  # it may have been made in this very moment
            raise
        return connection

    async def _reach(self, origin: Origin, connection: Connection) -> None:
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

    def opened(self, connection: Connection) -> None:
        self._open.add(connection)
        if self._closed:
            connection.abort()

    def freed(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        connection.usable_until = loop.time() + self._idle_s
        self._idle.setdefault(connection.origin.key, []).append(connection)
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_s, self._close_idle)

    def closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        idle = self._idle.get(connection.origin.key, [])
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
