"""What a route is asked of a client's request: all of it, but for what its server could not take."""

import re
from dataclasses import replace

import msgspec

from backends.backend import Call
from backends.route import Route
from gateway.pipeline.offered_tools import tool_types, with_only
from gateway.problem import Problem

_ATTRIBUTION = b"x-anthropic-billing-header:"
_SYSTEMS_HEAD = 256
"""Bytes of a system prompt's JSON in which its first block's text begins."""
_CLAUDES = {"chat": frozenset(("function",)), "responses": frozenset(("function", "custom", "namespace"))}
"""Types of tools that are translated for Claude; on its own wire it takes all there are."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST_NAME = 64


class _Block(msgspec.Struct):
    text: str = ""


def adapted(call: Call, route: Route) -> Call:
    """The call as it is to be sent to the route, and as its answer is to be looked for.

    Raises ``Problem`` 400 for a tool that the route's server cannot take, where the route is to decline those.
    """
    if route.backend == "vllm" and call.wire in ("messages", "count_tokens"):
        call = _without_attribution(call)
    if route.unsupported_tools != "pass" and (others := unsupported_tools(call, route)):
        if route.unsupported_tools == "decline":
            kinds = ", ".join(others)
            message = f"'{route.name}' takes no tools of type {kinds}: leave them out, or ask for another model"
            raise Problem(400, "unsupported_tool", message, param="tools")
        return replace(call, fields=with_only(call, _taken(call, route)))
    return call


def dropped_tools(call: Call, route: Route) -> tuple[str, ...]:
    """The types of the tools that the call lost on its way to the route."""
    return unsupported_tools(call, route) if route.unsupported_tools == "drop" else ()


def unsupported_tools(call: Call, route: Route) -> tuple[str, ...]:
    """The types of the call's tools that the route's server cannot take, in words that are safe in a header."""
    taken = _taken(call, route)
    if not taken:
        return ()
    others = (kind for kind in tool_types(call) if kind not in taken)
    return tuple(dict.fromkeys(_UNSAFE.sub("?", kind)[:_LONGEST_NAME] for kind in others))


def _taken(call: Call, route: Route) -> frozenset[str]:
    """Types of tools; none where any may go."""
    return _CLAUDES.get(call.wire, frozenset()) if route.backend == "claude" else route.tool_types


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
    fields = dict(call.fields)
    if rest:
        fields["system"] = msgspec.Raw(msgspec.json.encode(rest))
    else:
        del fields["system"]
    return replace(call, fields=fields)
