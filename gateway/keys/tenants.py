"""Who the tenants are on servers that they share, and whose a stored response is."""

from functools import lru_cache
from hashlib import blake2b, sha256

import msgspec

from backends.backend import Call
from backends.tenant import Tenant
from gateway.problem import Problem

_MOST = 10_000
"""Tenants that are kept at hand."""


class Tenants:
    """Keyed with the secret that all gateways share: each of them makes the same of a name, and nobody else can."""

    def __init__(self, secret: str) -> None:
        self._secret = sha256(secret.encode()).digest()
        self.of = lru_cache(_MOST)(self._of)

    def _of(self, name: str) -> Tenant:
        return Tenant(blake2b(name.encode(), key=self._secret, person=b"wb-tenant", digest_size=32).digest())


def refuse_others(call: Call) -> None:
    """What a tenant goes on from must be its own. Raises ``Problem`` 404, whether there is such a response or not."""
    if call.tenant is None or call.wire != "responses":
        return
    previous = _given(call, "previous_response_id")
    if isinstance(previous, str) and not call.tenant.owns(previous):
        raise unknown_response(previous, "previous_response_id")
    if _given(call, "conversation") is not None:
        message = "A virtual key has no stored conversations. Send the whole conversation, or previous_response_id."
        raise Problem(404, "conversation_not_found", message, param="conversation")


def unknown_response(response_id: str, param: str) -> Problem:
    return Problem(404, "response_not_found", f"Response with id {response_id[:100]!r} not found.", param=param)


def _given(call: Call, name: str) -> object:
    return msgspec.json.decode(call.fields[name]) if name in call.fields else None
