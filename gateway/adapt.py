"""What a route is asked of a client's request: all of it, but for what its server could not take."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from backends.backend import Call
from backends.route import Route
from gateway.problem import Problem

_ATTRIBUTION = b"x-anthropic-billing-header:"
_SYSTEMS_HEAD = 256
"""Bytes of a system prompt's JSON in which its first block's text begins."""
_CLAUDES = {"chat": frozenset(("function",)), "responses": frozenset(("function", "custom", "namespace"))}
"""Types of tools that are translated for Claude; on its own wire it takes all there are."""
_ABOUT_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST_NAME = 64

_Fields = Mapping[str, msgspec.Raw]


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
        return replace(call, fields=_without_tools(call.fields, _taken(call, route)))
    return call


def dropped_tools(call: Call, route: Route) -> tuple[str, ...]:
    """The types of the tools that the call lost on its way to the route."""
    return unsupported_tools(call, route) if route.unsupported_tools == "drop" else ()


def unsupported_tools(call: Call, route: Route) -> tuple[str, ...]:
    """The types of the call's tools that the route's server cannot take, in words that are safe in a header."""
    taken = _taken(call, route)
    if "tools" not in call.fields or not taken:
        return ()
    kinds = (_kind(tool) for tool in _tools(call.fields))
    return tuple(dict.fromkeys(_UNSAFE.sub("?", kind)[:_LONGEST_NAME] for kind in kinds if kind not in taken))


def _taken(call: Call, route: Route) -> frozenset[str]:
    """Types of tools; none where any may go."""
    return _CLAUDES.get(call.wire, frozenset()) if route.backend == "claude" else route.tool_types


def _tools(fields: _Fields) -> Sequence[Any]:
    tools = msgspec.json.decode(fields["tools"])
    return tools if isinstance(tools, list) else ()


def _kind(tool: Any) -> str:
    """Messages' plain tools have no type, or a schema; what is no tool at all is the server's to refuse."""
    if not isinstance(tool, dict) or "input_schema" in tool:
        return "function"
    return str(tool.get("type", "function"))


def _without_tools(fields: _Fields, taken: frozenset[str]) -> _Fields:
    tools = _tools(fields)
    kept = [tool for tool in tools if _kind(tool) in taken]
    if not kept:
        return {name: value for name, value in fields.items() if name not in _ABOUT_TOOLS}
    rest = {**fields, "tools": msgspec.Raw(msgspec.json.encode(kept))}
    names = {_name(tool) for tool in tools} - {_name(tool) for tool in kept}
    choice = msgspec.json.decode(rest.get("tool_choice", b"null"))
    if isinstance(choice, dict) and (choice.get("type") in {_kind(t) for t in tools} - taken or _name(choice) in names):
        del rest["tool_choice"]
    return rest


def _name(tool: Any) -> str | None:
    """Chat nests it below the type."""
    if not isinstance(tool, dict):
        return None
    inner = tool.get(str(tool.get("type")))
    name = inner.get("name") if isinstance(inner, dict) else tool.get("name")
    return name if isinstance(name, str) else None


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
