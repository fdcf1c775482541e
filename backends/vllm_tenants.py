"""What vLLM is told of tenants: a salt for its prefix cache, the id under which it stores a response, images' names."""

import re
from typing import Any

import msgspec

from backends.backend import Call
from backends.route import Route
from backends.tenant import Tenant

_SALTED = frozenset(("chat", "completions", "responses", "messages", "embeddings"))
"""Wires on which vLLM takes ``cache_salt`` (0.32)."""
_ESCAPED = re.compile(rb"\\u00[2-7]")


def understands_tenants(route: Route) -> bool:
    """As it is declared, or as its servers say that they are vLLM; of those that nobody has seen it is hoped."""
    if route.cache_salt is not None:
        return route.cache_salt
    observed = route.revision.observed
    return not observed or observed.get("engine", "").startswith("vllm ")


def keep_apart(fields: dict[str, msgspec.Raw], call: Call, route: Route) -> None:
    """Changes the body that goes up. Does nothing for whoever is no tenant.

    vLLM keeps a response under the ``request_id`` of the request, and what the client wrote there would name, and
    overwrite, another's.
    """
    tenant = call.tenant
    if tenant is None:
        return
    fields.pop("request_id", None)
    if not understands_tenants(route):
        return
    if call.wire in _SALTED:
        chosen = bytes(fields.get("cache_salt", b"null"))
        fields["cache_salt"] = _text(tenant.plain_salt if chosen == b"null" else tenant.salt(chosen))
    if "messages" in fields and _may_name_media(bytes(fields["messages"])):
        fields["messages"] = _with_own_media(fields["messages"], tenant)
    if call.wire == "responses":
        fields["request_id"] = _text(tenant.new_response_id())


def _may_name_media(messages: bytes) -> bool:
    """Also one that is written with escapes."""
    return b'"uuid"' in messages or (b"\\u00" in messages and _ESCAPED.search(messages) is not None)


def _with_own_media(messages: msgspec.Raw, tenant: Tenant) -> msgspec.Raw:
    """A part may name an image by a ``uuid``, and get what anybody has sent under that name."""
    said: Any = msgspec.json.decode(messages)
    found = False
    for message in said if isinstance(said, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and part.get("uuid") is not None:
                part["uuid"] = tenant.salt(b"media " + msgspec.json.encode(part["uuid"]))
                found = True
    return msgspec.Raw(msgspec.json.encode(said)) if found else messages


def _text(ascii_only: str) -> msgspec.Raw:
    return msgspec.Raw(b'"%s"' % ascii_only.encode())
