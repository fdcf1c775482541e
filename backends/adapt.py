"""What a route is asked of a client's request: all of it, but for what its server could not take."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from backends.backend import Call
from backends.route import Route

_ATTRIBUTION = b"x-anthropic-billing-header:"
_SYSTEMS_HEAD = 256
"""Bytes of a system prompt's JSON in which its first block's text begins."""

_Fields = Mapping[str, msgspec.Raw]


class _Block(msgspec.Struct):
    text: str = ""


def adapted(call: Call, route: Route) -> Call:
    """The call as it is to be sent to the route, and as its answer is to be looked for."""
    if route.backend == "vllm" and call.wire in ("messages", "count_tokens"):
        return _without_attribution(call)
    return call


def _without_attribution(call: Call) -> Call:
    """Older Claude Code begins its system prompt with a block for Anthropic's bill: other text in each request, which
    no server's prefix cache would outlive.
    """
    system = call.fields.get("system")
    if system is None or _ATTRIBUTION not in bytes(memoryview(system)[:_SYSTEMS_HEAD]):
        return call
    try:
        first, *rest = msgspec.json.decode(system, type=list[msgspec.Raw])
        text = msgspec.json.decode(first, type=_Block).text
    except (msgspec.DecodeError, ValueError):
        return call  # the server's to refuse
    if not text.startswith(_ATTRIBUTION.decode()):
        return call
    return replace(call, fields=_replaced(call.fields, "system", rest))


def _replaced(fields: _Fields, name: str, items: list[msgspec.Raw]) -> _Fields:
    """With a list in the place of another; without it where it would be empty."""
    if not items:
        return {key: value for key, value in fields.items() if key != name}
    return {**fields, name: msgspec.Raw(msgspec.json.encode(items))}
