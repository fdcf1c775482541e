"""Who may enter: the gateway's own key for everything, virtual keys for models, the admin key for the admin API.

The health checks are open. Without any key only this machine is served.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.api import anthropic_error, openai_error
from gateway.api.http import Receive, Scope, Send, header, respond
from gateway.keys.key import VirtualKey
from gateway.keys.keyring import Keyring
from gateway.problem import Problem

_OPEN_PATHS = frozenset(("/health/live", "/health/ready"))
_ANTHROPIC = "/v1/messages"
_ADMIN = "/admin/"
_OnRefusal = Callable[[Problem, Sequence[tuple[bytes, bytes]]], None]
"""Told of a problem and of its request's headers."""
_LOOPBACK = ("127.", "::1", "::ffff:127.")
_FOR_VIRTUAL_KEYS = frozenset(
    (
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/embeddings",
        "/v1/models",
        "/v1/requests",
        "/v1/feedback",
        "/v1/spend",
    )
)
_AND_BELOW = ("/v1/models/", "/v1/requests/", "/v1/responses/")


@dataclass(frozen=True, slots=True)
class Keys:
    """``own`` opens everything but the admin API, ``admin`` that and nothing else; without ``ring`` there are no
    virtual keys.
    """

    own: str | None
    admin: str | None = None
    ring: Keyring | None = None


class Gate:
    """ASGI middleware: leaves ``weighbridge.tenant``, ``.key`` and ``.apart`` in the scope, or answers 401 or 403.

    The key is a ``VirtualKey``, or None for whoever may do everything; ``apart`` is its ``Tenant``.
    """

    def __init__(self, app, keys: Keys, on_refusal: _OnRefusal) -> None:  # type: ignore[no-untyped-def]
        self._app = app
        self._on_refusal = on_refusal
        self._own = keys.own.encode() if keys.own else None
        self._admin = keys.admin.encode() if keys.admin else None
        self._ring = keys.ring
        self._tenant = hashlib.blake2b(self._own, digest_size=6).hexdigest() if self._own else "local"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            try:
                key = self._enter(scope)
            except Problem as problem:
                self._on_refusal(problem, scope["headers"])
                shape = anthropic_error if scope["path"].startswith(_ANTHROPIC) else openai_error
                await respond(send, *shape.response(problem))
                return
            scope["weighbridge.tenant"] = self._tenant if key is None else key.tenant
            scope["weighbridge.key"] = key
            scope["weighbridge.apart"] = self._ring.tenants.of(key.tenant) if key is not None and self._ring else None
        await self._app(scope, receive, send)

    def _enter(self, scope: Scope) -> VirtualKey | None:
        """Raises ``Problem`` 401 or 403."""
        if scope["path"].startswith(_ADMIN):
            self._check_admin(scope)
            return None
        if self._own is None and self._ring is None:
            _check_loopback(scope)
            return None
        given = _given(scope)
        if self._own is not None and secrets.compare_digest(given, self._own):
            return None
        if self._ring is None or not given:
            message = "Incorrect API key. Send the gateway's key as 'Authorization: Bearer …' or 'x-api-key'."
            raise Problem(401, "invalid_api_key", message)
        key = self._ring.find(given, time.time())
        if scope["path"] not in _FOR_VIRTUAL_KEYS and not scope["path"].startswith(_AND_BELOW):
            raise Problem(403, "operator_only", "This is for the gateway's own key, not for a virtual one.")
        return key

    def _check_admin(self, scope: Scope) -> None:
        if self._admin is None:
            raise Problem(403, "no_admin_key", "This gateway has no admin API: its config names no `admin_key`.")
        if not secrets.compare_digest(_given(scope), self._admin):
            raise Problem(401, "invalid_admin_key", "The admin API needs the admin key, as 'Authorization: Bearer …'.")


def _given(scope: Scope) -> bytes:
    scheme, _, given = (header(scope, b"authorization") or "").partition(" ")
    if scheme.lower() != "bearer":
        given = header(scope, b"x-api-key") or ""
    return given.strip().encode("latin-1")


def _check_loopback(scope: Scope) -> None:
    client = scope.get("client")
    forwarded = header(scope, b"x-forwarded-for") or header(scope, b"forwarded")
    if forwarded is not None or (client is not None and not client[0].startswith(_LOOPBACK)):
        message = "this gateway has no WEIGHBRIDGE_API_KEY, so it serves its own machine only"
        raise Problem(403, "loopback_only", message)
