"""The server's side of a connection: uvicorn's, but an answer's head leaves together with what follows it, and an
offer to change the protocol is passed over.
"""

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_OFFER = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn writes a head by itself; that is one more system call here and one more wake-up of the client.

    Java's own client offers HTTP/2 (``Upgrade: h2c``) with each first request. httptools takes what follows such a head
    for another protocol, and the request would lose its body.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_HeadsWait(transport, self.loop))  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or not self.cycle.more_body:  # a head, and never a body that only looks like one
            end = data.find(b"\r\n\r\n") + 2
            if data.find(b"h2c", 0, end) >= 0:  # clients send a small head as a whole
                data = _OFFER.sub(b"", data[:end]) + data[end:]
        super().data_received(data)

    def _unsupported_upgrade_warning(self) -> None:
        """What an upgrade to a WebSocket is told is the application's to say."""


class _HeadsWait:
    """A transport that keeps a head back until the next write, or until the step of the loop that wrote it is over."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._flush)
            return
        self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
