"""Claude's answers in the Responses wire: the blocks of a message become output items, one after the other."""

import time
from collections.abc import Mapping
from typing import Any, TypeVar

import aiohttp
import msgspec

from backends.backend import BackendError, Piece
from backends.claude.answer import MessageEvents, WholeAnswer
from backends.claude.response_items import SHOWN, Block, Delta, Item, ToolNames
from backends.claude.wire import MessageReader
from backends.sse import data_of
from backends.usage import Usage

_INCOMPLETE = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}
"""A stop reason to that of a response which is not whole."""
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "top_p": 1.0,
    "truncation": "disabled",
}
"""What a response says again of its request, and what where that left it out."""
_WITHOUT_EFFECT: Mapping[str, Any] = {
    "frequency_penalty": 0.0,
    "max_tool_calls": None,
    "presence_penalty": 0.0,
    "service_tier": "default",
    "top_logprobs": 0,
}
"""What Claude has no such thing for, whatever the request says."""
_FUNCTION = {"description": None, "parameters": None, "strict": None}
"""What OpenAI's own always says of a function."""
_NOTHING = Piece(b"", False)
_T = TypeVar("_T")


class _Event(msgspec.Struct):
    content_block: Block | None = None
    delta: Delta | None = None


class _Message(msgspec.Struct):
    content: list[Block]


class WholeResponse(WholeAnswer):
    """``message`` is Claude's own."""

    def __init__(self, message: bytes, reader: MessageReader, request: Mapping[str, Any], names: ToolNames) -> None:
        super().__init__(reader)
        self._message = message
        self._request = request
        self._names = names

    def _body(self) -> dict[str, Any]:
        blocks = [block for block in _decoded(self._message, _Message).content if block.type in SHOWN]
        items = [Item(block, index, self._reader.id, self._names).value() for index, block in enumerate(blocks)]
        return _ended(self._reader, self._request, int(time.time()), items)


class StreamedResponse(MessageEvents):
    """An answer as its events come."""

    def __init__(
        self, response: aiohttp.ClientResponse, request: Mapping[str, Any], names: ToolNames, max_bytes: int
    ) -> None:
        super().__init__(response, max_bytes)
        self._request = request
        self._names = names
        self._at = int(time.time())
        self._output: list[dict[str, Any]] = []
        self._item: Item | None = None
        self._number = 0

    def _look(self, frame: bytes) -> Piece:
        data = data_of(frame)
        kind = self._reader.read_event(data) if data is not None else "ping"
        if kind == "message_start":
            response = _response(self._reader, self._request, self._at, "in_progress")
            begun = [{"type": f"response.{state}", "response": response} for state in ("created", "in_progress")]
            return self._piece(begun, content=False)
        if kind == "content_block_stop" and self._item is not None:
            self._output.append(self._item.value())
            item, self._item = self._item, None
            return self._piece(item.closed())
        if data is None or kind not in ("content_block_start", "content_block_delta"):
            return _NOTHING
        return self._piece(self._of_block(_decoded(data, _Event)))

    def _of_block(self, event: _Event) -> list[dict[str, Any]]:
        if (block := event.content_block) is not None:
            known = block.type in SHOWN
            self._item = Item(_begun(block), len(self._output), self._reader.id, self._names) if known else None
            first = Delta(block.text, block.thinking, block.signature)
            return [*self._item.opened(), *self._item.grown(first)] if self._item is not None else []
        return self._item.grown(event.delta) if self._item is not None and event.delta is not None else []

    def _last(self) -> list[Piece]:
        response = _ended(self._reader, self._request, self._at, self._output)
        return [self._piece([{"type": f"response.{response['status']}", "response": response}], content=False)]

    def _piece(self, events: list[dict[str, Any]], *, content: bool = True) -> Piece:
        frames = []
        for event in events:
            body = msgspec.json.encode({**event, "sequence_number": self._number})
            frames.append(b"event: " + event["type"].encode() + b"\ndata: " + body + b"\n\n")
            self._number += 1
        return Piece(b"".join(frames), content and bool(frames))


def _begun(block: Block) -> Block:
    """What stands in the block from the start comes as the first delta."""
    return msgspec.structs.replace(block, text="", thinking="", signature="")


def _response(reader: MessageReader, request: Mapping[str, Any], at: int, status: str) -> dict[str, Any]:
    echoed = {name: _echo(request.get(name), missing) for name, missing in _ECHOED.items()}
    head = {"id": f"resp_{reader.id.removeprefix('msg_')}", "object": "response", "created_at": at, "status": status}
    facts: dict[str, Any] = {
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": reader.model,
        "output": [],
        "previous_response_id": None,
        "store": False,
        "tools": [_FUNCTION | tool if tool["type"] == "function" else tool for tool in request.get("tools", [])],
        "usage": None,
    }
    return {**head, **echoed, **_WITHOUT_EFFECT, **facts}


def _echo(given: Any, missing: Any) -> Any:
    if given is None:
        return missing
    return {**missing, **given} if isinstance(missing, dict) and isinstance(given, dict) else given


def _ended(reader: MessageReader, request: Mapping[str, Any], at: int, output: list[dict[str, Any]]) -> dict[str, Any]:
    reason = _INCOMPLETE.get(reader.stop_reason or "")
    response = _response(reader, request, at, "incomplete" if reason else "completed")
    ended = {"incomplete_details": {"reason": reason}} if reason else {"completed_at": int(time.time())}
    return {**response, **ended, "output": output, "usage": _usage(reader)}


def _usage(reader: MessageReader) -> dict[str, Any]:
    usage = reader.usage or Usage()
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_input_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": reader.thinking_tokens or 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def _decoded(data: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BackendError("malformed", f"Claude sent what is not of the Messages wire: {error}") from error
