"""From a client's chat request to the arguments that LiteLLM translates: only what is named here reaches it.

LiteLLM takes addresses, keys and callbacks as arguments too, and fetches what some messages point to, so a request's
fields are never handed over unseen.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from backends.backend import BackendError, Call
from backends.route import Route

_PASSED = (
    "messages",
    "temperature",
    "top_p",
    "top_k",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "thinking",
    "cache_control",
    "user",
)
_REFUSED = {
    "functions": "write them as `tools`",
    "function_call": "write it as `tool_choice`",
    "audio": "Claude answers in text",
    "web_search_options": "it costs extra, which this gateway does not account for",
}
_PARTS = frozenset(("text", "image_url", "file", "refusal", "thinking", "redacted_thinking"))
_INSTRUCTIONS = ("system", "developer")
_DEFAULT_MAX_TOKENS = 4096


def chat_arguments(call: Call, route: Route) -> dict[str, Any]:
    """Keyword arguments of ``litellm.acompletion``. Raises ``BackendError`` 400 for what Claude cannot be asked."""
    fields = {name: value for name, raw in call.fields.items() if (value := msgspec.json.decode(raw)) is not None}
    return checked_arguments(fields, route)


def checked_arguments(fields: Mapping[str, Any], route: Route) -> dict[str, Any]:
    """The same of a chat request's decoded fields, none of them null."""
    _check(fields)
    arguments = {name: fields[name] for name in _PASSED if name in fields}
    arguments["messages"] = _begun_by_the_user(fields["messages"])
    if "temperature" in arguments:
        arguments.pop("top_p", None)  # Claude takes one of the two, and says to prefer this one
    arguments["max_tokens"] = _max_tokens(fields, route)
    return arguments


def _begun_by_the_user(messages: list[Any]) -> list[Any]:
    """Claude takes no conversation that an assistant begins, such as one whose head was cut off."""
    first = next((at for at, message in enumerate(messages) if message.get("role") not in _INSTRUCTIONS), None)
    if first is None or messages[first].get("role") != "assistant":
        return messages
    return [*messages[:first], {"role": "user", "content": "."}, *messages[first:]]


def refused(message: str, param: str | None = None, code: str = "unsupported_parameter") -> BackendError:
    """The client's own mistake, in OpenAI's shape."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return BackendError("status", "Claude cannot be asked this", status=400, body=msgspec.json.encode({"error": error}))


def _check(fields: Mapping[str, Any]) -> None:
    if fields.get("n", 1) != 1:
        raise refused("Claude gives one answer a request: leave `n` out, or ask several times", "n")
    if fields.get("logprobs") or fields.get("top_logprobs"):
        raise refused("Claude gives no log probabilities", "logprobs")
    if fields.get("modalities", ["text"]) != ["text"]:
        raise refused("Claude answers in text", "modalities")
    for name, advice in _REFUSED.items():
        if fields.get(name):
            raise refused(f"`{name}` is not supported for Claude: {advice}", name)
    for tool in _list(fields.get("tools", []), "tools"):
        if _object(tool, "tools").get("type") != "function":
            raise refused("only tools of type `function` are supported for Claude", "tools")
    for message in _list(fields.get("messages"), "messages"):
        content = _object(message, "messages").get("content")
        for part in content if isinstance(content, list) else ():
            _check_part(_object(part, "messages"))


def _check_part(part: Mapping[str, Any]) -> None:
    kind = part.get("type")
    if kind not in _PARTS:
        raise refused(f"Claude takes no message parts of type {str(kind)[:50]!r} here", "messages")
    if kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, dict) else image
        if not isinstance(url, str) or not url.startswith(("data:", "https://")):
            raise refused("an image must be a `data:` or an `https://` URL", "messages")
    if kind == "file":
        file = _object(part.get("file"), "messages")
        if "file_id" in file or not str(file.get("file_data")).startswith("data:"):
            raise refused("a file must be sent as a `data:` URL in `file_data`", "messages")


def _max_tokens(fields: Mapping[str, Any], route: Route) -> Any:
    """Claude demands a limit; OpenAI's clients need not give one."""
    asked = fields.get("max_completion_tokens", fields.get("max_tokens"))
    return asked if asked is not None else route.max_output_tokens or _DEFAULT_MAX_TOKENS


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise refused(f"`{name}` must be a list", name, "invalid_parameter")
    return value


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise refused(f"`{name}` must hold objects", name, "invalid_parameter")
    return value
