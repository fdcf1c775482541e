"""A model that does what a script says, on every wire that vLLM speaks, streamed as vLLM streams it and whole."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tests.fixtures.upstream import Behaviour, Received, answers_json, chunk, event, streams, usage_chunk

_PROMPT, _COMPLETION = 900, 30
_PIECE = 7
"""Characters in a delta: smaller than any word that matters."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says, whichever wire it came on."""

    wire: str
    """``completions`` (of chat), ``messages`` or ``responses``."""
    tools: frozenset[str]
    results: int
    """How many tool results the conversation holds."""
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """Some words and, where ``tool`` is named, a call of it: with a JSON object, or on Responses with plain text."""

    text: str = "Done."
    tool: str | None = None
    given: dict[str, Any] | str | None = None

    @property
    def arguments(self) -> str:
        return self.given if isinstance(self.given, str) else json.dumps(self.given)


Script = Callable[[Asked], Turn]


def writes(tool: str, given: dict[str, Any] | str) -> Script:
    """Calls ``tool`` once, where it is offered, and says so when its result has come."""

    def script(asked: Asked) -> Turn:
        if tool not in asked.tools:  # a title for the conversation, a summary
            return Turn("A file")
        return Turn("I write the file.", tool, given) if asked.results == 0 else Turn("It is written.")

    return script


Trouble = Literal["cut", "short", "error", "refused", "limited"]
"""In the middle of a stream: the connection is cut, it ends too soon, it has an error event. Or 500, or 429."""
Plan = Callable[[int], Trouble | None]
"""What happens to the so-manieth answer, counted from 1."""


def never(_: int) -> None:
    """No trouble."""


def speaks(script: Script, plan: Plan = never) -> Behaviour:
    """An upstream's behaviour on chat, Messages and Responses."""
    numbers = itertools.count(1)

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        if received.path.partition("?")[0] == "/v1/messages/count_tokens":
            await answers_json({"input_tokens": _PROMPT})(received, writer)
            return
        if received.path == "/v1/responses/compact":  # as vLLM, which has GET /v1/responses/{id}
            await answers_json({"detail": "Method Not Allowed"}, 405)(received, writer)
            return
        asked, number = read(received.path, received.json), next(numbers)
        turn, trouble = script(asked), plan(number)
        if trouble in ("refused", "limited"):
            await _refuse(trouble == "limited")(received, writer)
        elif asked.body.get("stream"):
            events = list(
                {"completions": _chat, "messages": _messages, "responses": _responses}[asked.wire](turn, number)
            )
            if trouble is not None:
                events = [*events[: len(events) // 2], *([_ERRORS[asked.wire]] if trouble == "error" else [])]
            await streams(*events, end=trouble != "cut")(received, writer)
        else:
            whole = {"completions": _whole_chat, "messages": _whole_message, "responses": _whole_response}[asked.wire]
            await answers_json(whole(turn, number))(received, writer)

    return behave


def _refuse(limited: bool) -> Behaviour:
    error = {"error": {"message": "no", "type": "x", "code": None}}
    return answers_json(error, 429, "retry-after: 1\r\n") if limited else answers_json(error, 500)


def read(path: str, body: dict[str, Any]) -> Asked:
    wire = path.partition("?")[0].rpartition("/")[2]
    return Asked(wire, frozenset(map(_name, body.get("tools") or ())), sum(map(_is_result, _items(body))), body)


def _name(tool: dict[str, Any]) -> str:
    return str(tool.get("name") or tool.get("function", tool).get("name") or tool["type"])


def _items(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every message, and every block or item within."""
    said = body["messages"] if "messages" in body else body["input"]
    for item in said if isinstance(said, list) else ():
        yield item
        content = item.get("content")
        yield from (block for block in content if isinstance(block, dict)) if isinstance(content, list) else ()


def _is_result(item: dict[str, Any]) -> bool:
    kind = item.get("type") or ""
    return item.get("role") == "tool" or kind == "tool_result" or kind.endswith("_call_output")


def _pieces(text: str) -> list[str]:
    return [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]


def _named(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\n".encode() + event({"type": kind, **fields})


_ERRORS = {
    "completions": event({"error": {"message": "CUDA error", "type": "internal_error", "code": 500}}),
    "messages": _named("error", error={"type": "internal_error", "message": "CUDA error"}),
    "responses": _named("error", code="500", message="CUDA error", param=None),
}


def _chat(turn: Turn, number: int) -> Iterator[bytes]:
    yield event(chunk("", role="assistant"))
    for piece in _pieces(turn.text):
        yield event(chunk(piece))
    if turn.tool is not None:
        head = {"index": 0, "id": f"call_{number}", "type": "function"}
        yield event(chunk(tool_calls=[{**head, "function": {"name": turn.tool, "arguments": ""}}]))
        for piece in _pieces(turn.arguments):
            yield event(chunk(tool_calls=[{"index": 0, "function": {"arguments": piece}}]))
    yield event(chunk("", finish="tool_calls" if turn.tool else "stop"))
    yield event(usage_chunk(_PROMPT, _COMPLETION))
    yield event("[DONE]")


def _whole_chat(turn: Turn, number: int) -> dict[str, Any]:
    unsaid = dict.fromkeys(("refusal", "annotations", "audio", "function_call", "reasoning"))
    message: dict[str, Any] = {"role": "assistant", "content": turn.text, **unsaid}
    if turn.tool is not None:
        function = {"name": turn.tool, "arguments": turn.arguments}
        message["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if turn.tool else "stop"}
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1, "model": "m", "service_tier": None}
    usage: dict[str, Any] = dict.fromkeys(("prompt_tokens_details", "completion_tokens_details"))
    usage |= {"prompt_tokens": _PROMPT, "completion_tokens": _COMPLETION, "total_tokens": _PROMPT + _COMPLETION}
    return {**head, "choices": [{**choice, "logprobs": None, "stop_reason": None}], "usage": usage}


def _blocks(turn: Turn, number: int) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": turn.text}]
    if turn.tool is not None:
        blocks.append({"type": "tool_use", "id": f"toolu_{number}", "name": turn.tool, "input": turn.given})
    return blocks


def _whole_message(turn: Turn, number: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": _blocks(turn, number),
        "stop_reason": "tool_use" if turn.tool else "end_turn",
        "usage": {"input_tokens": _PROMPT, "output_tokens": _COMPLETION},
    }


def _messages(turn: Turn, number: int) -> Iterator[bytes]:
    whole = _whole_message(turn, number)
    begun = {**whole, "content": [], "usage": {"input_tokens": _PROMPT, "output_tokens": 0}}
    yield _named("message_start", message={**begun, "stop_reason": None, "stop_sequence": None})
    for index, block in enumerate(whole["content"]):
        if block["type"] == "text":
            empty, parts = {**block, "text": ""}, [("text_delta", "text", piece) for piece in _pieces(block["text"])]
        else:
            pieces = _pieces(turn.arguments)
            empty, parts = {**block, "input": {}}, [("input_json_delta", "partial_json", piece) for piece in pieces]
        yield _named("content_block_start", index=index, content_block=empty)
        for kind, name, piece in parts:
            yield _named("content_block_delta", index=index, delta={"type": kind, name: piece})
        yield _named("content_block_stop", index=index)
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _named("message_delta", delta=delta, usage=whole["usage"])
    yield _named("message_stop")


def _output(turn: Turn, number: int) -> list[dict[str, Any]]:
    words = {"type": "output_text", "text": turn.text, "annotations": [], "logprobs": None}
    head = {"type": "message", "id": f"msg_{number}", "status": "completed", "role": "assistant", "phase": None}
    message = {**head, "content": [words]}
    if turn.tool is None:
        return [message]
    call = {"call_id": f"call_{number}", "name": turn.tool, "status": "completed"}
    if isinstance(turn.given, str):
        return [message, {"type": "custom_tool_call", "id": f"ctc_{number}", "input": turn.given, **call}]
    return [message, {"type": "function_call", "id": f"fc_{number}", "arguments": turn.arguments, **call}]


_SETTINGS = {
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "background": False,
    "service_tier": "auto",
    "truncation": "disabled",
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    **dict.fromkeys(("incomplete_details", "instructions", "metadata", "max_output_tokens", "max_tool_calls")),
    **dict.fromkeys(("previous_response_id", "prompt", "reasoning", "text", "top_logprobs", "user")),
}
"""What vLLM 0.32 says in a response besides."""


def _whole_response(turn: Turn, number: int) -> dict[str, Any]:
    usage = {
        "input_tokens": _PROMPT,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": _COMPLETION,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": _PROMPT + _COMPLETION,
    }
    head = {"id": f"resp_{number}", "object": "response", "created_at": 1, "status": "completed", "model": "m"}
    return {**_SETTINGS, **head, "output": _output(turn, number), "usage": usage}


_EMPTIED = {"message": ("content", []), "function_call": ("arguments", ""), "custom_tool_call": ("input", "")}


def _responses(turn: Turn, number: int) -> Iterator[bytes]:
    whole, order = _whole_response(turn, number), itertools.count()

    def said(kind: str, **fields: Any) -> bytes:
        return _named(kind, sequence_number=next(order), **fields)

    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield said("response.created", response=begun)
    yield said("response.in_progress", response=begun)
    for index, item in enumerate(whole["output"]):
        name, nothing = _EMPTIED[item["type"]]
        at = {"item_id": item["id"], "output_index": index}
        empty = {**item, name: nothing, "status": "in_progress"}
        yield said("response.output_item.added", output_index=index, item=empty)
        if item["type"] == "message":
            yield from _text_events(said, item["content"][0], at)
        else:
            kind = f"response.{item['type']}_{name}"
            for piece in _pieces(item[name]):
                yield said(f"{kind}.delta", delta=piece, **at)
            yield said(f"{kind}.done", **{name: item[name]}, **at)
        yield said("response.output_item.done", output_index=index, item=item)
    yield said("response.completed", response=whole)


def _text_events(said: Callable[..., bytes], part: dict[str, Any], at: dict[str, Any]) -> Iterator[bytes]:
    at = {**at, "content_index": 0}
    yield said("response.content_part.added", part={**part, "text": "", "logprobs": []}, **at)
    for piece in _pieces(part["text"]):
        yield said("response.output_text.delta", delta=piece, logprobs=[], **at)
    yield said("response.output_text.done", text=part["text"], logprobs=[], **at)
    yield said("response.content_part.done", part=part, **at)
