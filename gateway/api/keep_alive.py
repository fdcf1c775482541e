"""A word now and then to a client whose stream is silent, so that nobody on the way gives it up."""

import asyncio

from gateway.api.http import Headers, Scope, Send, header
from gateway.pipeline.flight import Reader

COMMENT = b": keep-alive\n\n"
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
_OPT_OUT = b"x-weighbridge-keep-alive"
_LOOKS = 2
"""Silent ones in a row until it speaks: after a silence of one to one and a half periods."""


class KeepAlive:
    """One timer a stream, however many chunks that has: it looks whether anything came since it looked last.

    Before the first content it is a head that goes out first, so that an error after it can only be an event. A client
    that would rather see the route and an error's status sends ``x-weighbridge-keep-alive: no``.
    """

    def __init__(self, scope: Scope, send: Send, word: bytes, every_s: float) -> None:
        self.began = False
        """The head has gone out."""
        self._scope = scope
        self._send = send
        self._word = word
        self._every_s = every_s
        self._request_id = b""
        self._reader: Reader | None = None
        self._seen = 0
        self._silent = 0
        self._timer: asyncio.TimerHandle | None = None
        self._speaking: asyncio.Task[None] | None = None

    def start(self, request_id: str) -> None:
        self._request_id = request_id.encode()
        self._arm()

    def follow(self, reader: Reader) -> None:
        """Its content comes from there; the head is now the caller's to send, unless it has gone out."""
        self._hush()
        self._reader = reader

    def stop(self) -> None:
        """Before the last word is said. Calling it again does nothing."""
        self._hush()
        if self._timer is not None:
            self._timer.cancel()

    def _hush(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._every_s / _LOOKS, self._look)

    def _look(self) -> None:
        if (header(self._scope, _OPT_OUT) or "").lower() == "no":
            return
        position = self._reader.position if self._reader is not None else 0
        self._silent = self._silent + 1 if position == self._seen else 0
        self._seen = position
        if self._silent >= _LOOKS and (self._speaking is None or self._speaking.done()):
            self._silent = 0
            self._speaking = asyncio.create_task(self._speak())
        self._arm()

    async def _speak(self) -> None:
        if not self.began:
            await self._send({"type": "http.response.start", "status": 200, "headers": self._head()})
            self.began = True
        await self._send({"type": "http.response.body", "body": self._word, "more_body": True})

    def _head(self) -> Headers:
        """What is known before any route has answered; ``GET /v1/requests/{id}`` tells the rest."""
        return [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-weighbridge-request-id", self._request_id),
            (b"x-request-id", self._request_id),
        ]
