"""The tools that a request offers: in ``tools``, and in the input items of a Responses request that add more.

Codex adds some in an item of type ``additional_tools``. What is no tool at all stays: it is the server's to refuse.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from backends.backend import Call
from gateway.problem import Problem

_ABOUT_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_ADDITIONAL = "additional_tools"
_MARK = _ADDITIONAL.encode()

_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def tool_types(call: Call) -> list[str]:
    """The type of each tool, in the order in which they stand."""
    more = (tool for _, item in _adding(call) for tool in item["tools"])
    return [_kind(tool) for tool in (*_listed(call.fields), *more)]


def with_only(call: Call, taken: frozenset[str]) -> Mapping[str, msgspec.Raw]:
    """The call's fields with none but tools of the types ``taken``, and no choice of one that is gone."""
    fields = dict(call.fields)
    offered = list(_listed(fields))
    kept = _of(offered, taken)
    if kept:
        fields["tools"] = _raw(kept)
    elif offered:
        del fields["tools"]
    adding = dict(_adding(call))
    if adding:
        offered += [tool for item in adding.values() for tool in item["tools"]]
        left = {place: {**item, "tools": _of(item["tools"], taken)} for place, item in adding.items()}
        kept += [tool for item in left.values() for tool in item["tools"]]
        fields["input"] = _raw(list(_items(fields["input"], left)))
    if not kept:
        return {name: value for name, value in fields.items() if name not in _ABOUT_TOOLS}
    if "tool_choice" in fields and _is_of_dropped(fields["tool_choice"], offered, kept, taken):
        del fields["tool_choice"]
    return fields


def _listed(fields: Mapping[str, msgspec.Raw]) -> Sequence[Any]:
    tools = _read(fields["tools"]) if "tools" in fields else ()
    return tools if isinstance(tools, list) else ()


def _adding(call: Call) -> Iterable[tuple[int, dict[str, Any]]]:
    """The items that add tools, each with its place in the input. Only they are decoded."""
    said = call.fields.get("input") if call.wire == "responses" else None
    if said is None or _MARK not in bytes(said):
        return
    try:
        items = _decode_items(said)
    except (msgspec.DecodeError, RecursionError):
        return  # a text that mentions them
    for place, raw in enumerate(items):
        item = _read(raw) if _MARK in bytes(raw) else None
        if isinstance(item, dict) and item.get("type") == _ADDITIONAL and isinstance(item.get("tools"), list):
            yield place, item


def _items(said: msgspec.Raw, left: Mapping[int, dict[str, Any]]) -> Iterable[msgspec.Raw]:
    for place, raw in enumerate(_decode_items(said)):
        if place not in left:
            yield raw
        elif left[place]["tools"]:
            yield _raw(left[place])


def _of(tools: Iterable[Any], taken: frozenset[str]) -> list[Any]:
    return [tool for tool in tools if _kind(tool) in taken]


def _is_of_dropped(choice: msgspec.Raw, offered: Iterable[Any], kept: Iterable[Any], taken: frozenset[str]) -> bool:
    chosen = _read(choice)
    if not isinstance(chosen, dict):
        return False
    names = {_name(tool) for tool in offered} - {_name(tool) for tool in kept}
    return chosen.get("type") in {_kind(tool) for tool in offered} - taken or _name(chosen) in names


def _kind(tool: Any) -> str:
    """Messages' plain tools have no type, or a schema; what is no tool at all is the server's to refuse."""
    if not isinstance(tool, dict) or "input_schema" in tool:
        return "function"
    return str(tool.get("type", "function"))


def _name(tool: Any) -> str | None:
    """Chat nests it below the type."""
    if not isinstance(tool, dict):
        return None
    inner = tool.get(str(tool.get("type")))
    name = inner.get("name") if isinstance(inner, dict) else tool.get("name")
    return name if isinstance(name, str) else None


def _read(raw: msgspec.Raw) -> Any:
    """Raises ``Problem`` 400 for a number that no machine has room for."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.ValidationError as error:
        raise Problem(400, "invalid_json", f"the request's tools cannot be read: {error}", param="tools") from error


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
