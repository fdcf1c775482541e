"""Who may enter: one key for everything but the health checks; without a key only this machine is served."""

import hashlib
import secrets
from collections.abc import Callable, Sequence

from gateway.api import anthropic_error, openai_error
from gateway.api.http import Receive, Scope, Send, header, respond
from gateway.problem import Problem

_OPEN_PATHS = frozenset(("/health/live", "/health/ready"))
_ANTHROPIC = "/v1/messages"
_OnRefusal = Callable[[Problem, Sequence[tuple[bytes, bytes]]], None]
"""Told of a problem and of its request's headers."""
_LOOPBACK = ("127.", "::1", "::ffff:127.")


class Gate:
    """ASGI middleware: leaves ``weighbridge.tenant`` in the scope, or answers 401 or 403."""

    def __init__(self, app, api_key: str | None, on_refusal: _OnRefusal) -> None:  # type: ignore[no-untyped-def]
        self._app = app
        self._on_refusal = on_refusal
        self._key = api_key.encode() if api_key else None
        self._tenant = hashlib.blake2b(self._key or b"", digest_size=6).hexdigest() if api_key else "local"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            problem = self._refusal(scope)
            if problem is not None:
                self._on_refusal(problem, scope["headers"])
                shape = anthropic_error if scope["path"].startswith(_ANTHROPIC) else openai_error
                await respond(send, *shape.response(problem))
                return
            scope["weighbridge.tenant"] = self._tenant
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Problem | None:
        if self._key is None:
            client = scope.get("client")
            forwarded = header(scope, b"x-forwarded-for") or header(scope, b"forwarded")
            if forwarded is None and (client is None or client[0].startswith(_LOOPBACK)):
                return None
            message = "this gateway has no WEIGHBRIDGE_API_KEY, so it serves its own machine only"
            return Problem(403, "loopback_only", message)
        scheme, _, given = (header(scope, b"authorization") or "").partition(" ")
        if scheme.lower() != "bearer":
            given = header(scope, b"x-api-key") or ""
        if secrets.compare_digest(given.strip().encode("latin-1"), self._key):
            return None
        message = "Incorrect API key. Send the gateway's key as 'Authorization: Bearer …' or 'x-api-key'."
        return Problem(401, "invalid_api_key", message)
