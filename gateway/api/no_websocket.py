"""WebSockets are not spoken here: whoever asks for one is told at once, so that it goes on over HTTP."""

from gateway.api import openai_error
from gateway.api.http import Receive, Scope, Send, header, respond
from gateway.problem import Problem

_REFUSAL = Problem(
    426,
    "websocket_not_supported",
    "This gateway speaks HTTP, not WebSocket: POST the same request to the same path, streamed as server-sent events.",
)
_SPOKEN = [(b"upgrade", b"HTTP/1.1"), (b"connection", b"Upgrade")]


class NoWebSocket:
    """ASGI middleware: answers an upgrade to a WebSocket with 426, whatever its path."""

    def __init__(self, app) -> None:  # type: ignore[no-untyped-def]
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (header(scope, b"upgrade") or "").strip().lower() == "websocket":
            status, headers, body = openai_error.response(_REFUSAL)
            await respond(send, status, headers + _SPOKEN, body)
        else:
            await self._app(scope, receive, send)
