"""The server's side of a connection: uvicorn's, but an answer's head leaves together with what follows it, an offer to
change the protocol is passed over, and whoever sends a request too slowly, or a head without end, is dropped.
"""

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

ARRIVE_S = 30.0
MAX_HEAD_BYTES = 256 * 1024
_HEAD_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_OFFER = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)


class HttpProtocol(HttpToolsProtocol):
    """uvicorn writes a head by itself; that is one more system call here and one more wake-up of the client.

    Java's own client offers HTTP/2 (``Upgrade: h2c``) with each first request. httptools takes what follows such a head
    for another protocol, and the request would lose its body.

    A connection without a request is held as long as one between two requests. The head of a request that has begun has
    ``ARRIVE_S`` to arrive, or the application's ``receive_s``, and its body twice as long: the endpoint, which has a
    limit of its own for it, is first to speak. Only what does not arrive at once has a timer.
    """

    _arrived = True
    _late: asyncio.TimerHandle | None = None
    _head_was_here = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_HeadsWait(transport, self.loop))  # type: ignore[arg-type]
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        if self.cycle is None or not self.cycle.more_body:  # a head, and never a body that only looks like one
            end = data.find(b"\r\n\r\n") + 2
            if data.find(b"h2c", 0, end) >= 0:  # clients send a small head as a whole
                data = _OFFER.sub(b"", data[:end]) + data[end:]
        super().data_received(data)
        if not self._arrived:
            self._wait_for_more(len(data))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arrived = False
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._arrived = True
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._late, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()

    @property
    def _head_is_here(self) -> bool:
        return self.cycle is not None and self.cycle.scope is self.scope

    def _wait_for_more(self, length: int) -> None:
        if self._late is None:
            self._arm()
        if not self._head_is_here:
            self._head_bytes += length
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self.transport.write(_HEAD_TOO_LONG)
                self.transport.close()

    def _arm(self) -> None:
        self._head_was_here = self._head_is_here
        arrive_s: float = getattr(self.config.app, "receive_s", ARRIVE_S)
        self._late = self.loop.call_later(2 * arrive_s if self._head_was_here else arrive_s, self._too_late)

    def _too_late(self) -> None:
        if self._head_is_here and not self._head_was_here:
            self._arm()  # the body's time
        elif not self._head_is_here and self.cycle is not None and not self.cycle.response_complete:
            self._arm()  # nothing is read while another request is answered
        else:
            self.transport.abort()

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
