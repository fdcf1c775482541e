"""From a client's Responses request to what LiteLLM may translate for Claude."""

from collections.abc import Mapping
from typing import Any

import msgspec

from backends.backend import Call
from backends.claude.request import refused

_REFUSED = {
    "previous_response_id": "no response is stored for this model; send the whole conversation as `input`",
    "conversation": "no conversation is stored for this model; send all of it as `input`",
    "background": "this model answers at once or not at all",
    "prompt": "write the prompt itself as `instructions` and `input`",
}
_TOOLS = frozenset(("function", "custom", "namespace"))


def responses_fields(call: Call) -> dict[str, Any]:
    """The request's fields, decoded. Raises ``BackendError`` 400 for what Claude cannot be asked."""
    fields = {name: value for name, raw in call.fields.items() if (value := msgspec.json.decode(raw)) is not None}
    for name, advice in _REFUSED.items():
        if fields.get(name):
            raise refused(f"`{name}` is not supported for Claude: {advice}", name)
    _check_tools(fields.get("tools", []), "tools")
    items = fields.get("input")
    if not isinstance(items, str | list):
        raise refused("`input` must be a text or a list", "input", "invalid_parameter")
    for item in items if isinstance(items, list) else ():
        _check_item(item)
    return fields


def _check_item(item: object) -> None:
    if not isinstance(item, Mapping):
        raise refused("`input` must hold objects", "input", "invalid_parameter")
    if item.get("type") == "item_reference":
        raise refused("no item is stored for this model: send the items themselves", "input")
    if item.get("type") == "additional_tools":
        _check_tools(item.get("tools", []), "input")


def _check_tools(tools: object, where: str) -> None:
    if not isinstance(tools, list):
        raise refused("tools must be a list", where, "invalid_parameter")
    for tool in tools:
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if kind not in _TOOLS:
            raise refused(f"Claude takes no tools of type {str(kind)[:50]!r} here", where)
