"""What is asked: a short question and an agent's long history, on each wire, no two alike.

The head of a body is made once, so that the client stays cheap; what makes it unique stands in the last turn, as an
agent's newest turn does.
"""

import itertools
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

WireName = Literal["chat", "completions", "responses", "messages", "embeddings"]
Size = Literal["short", "history"]

PATHS: dict[WireName, str] = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "embeddings": "/v1/embeddings",
}
STREAMING: tuple[WireName, ...] = ("chat", "completions", "responses", "messages")
WITH_HISTORY: tuple[WireName, ...] = ("chat", "responses", "messages")
TURNS = 60
"""Of a history; with its system prompt and its tools it has 100 KB."""

_unique = itertools.count()
_UNIQUE = "@unique@"
_CODE = 'def f(x: str) -> str:\n    return "\\n".join(x)\n'
_SYSTEM_PROMPT = f"You complete code.\n\n```python\n{_CODE}```\n" * 22
"""With the rest of a short request about 2 KB."""
_AGENT_PROMPT = "You are an agent that works in a repository. Read before you write; run the tests.\n" * 100
_FILE = f'# gateway/example.py\nimport os\n\n\n{_CODE}\n\nprint(f("a\\tb"))\n' * 18
_TOOLS = 20


@dataclass(frozen=True, slots=True)
class Kind:
    """What sort of request: its wire, how long, and whether its answer is to be a stream."""

    wire: WireName
    size: Size = "short"
    stream: bool = False

    @property
    def path(self) -> str:
        return PATHS[self.wire]


@dataclass(frozen=True, slots=True)
class Question:
    """``head`` and ``tail`` are the body around what is unique."""

    kind: Kind
    head: bytes
    tail: bytes

    def body(self) -> bytes:
        unique = f"q{os.getpid()}.{time.time_ns()}.{next(_unique)}"
        return self.head + unique.encode() + self.tail


def question(kind: Kind, model: str) -> Question:
    """Raises ``KeyError`` for a wire that has no such size."""
    fields = (_SHORT if kind.size == "short" else _HISTORY)[kind.wire]()
    if kind.wire in STREAMING:
        fields["stream"] = kind.stream
    head, tail = json.dumps({"model": model, **fields}).encode().split(_UNIQUE.encode())
    return Question(kind, head, tail)


def _short_chat() -> dict[str, Any]:
    messages = [{"role": "system", "content": _SYSTEM_PROMPT}, {"role": "user", "content": _UNIQUE}]
    return {"messages": messages, "temperature": 0.2, "max_tokens": 512}


def _short_completion() -> dict[str, Any]:
    return {"prompt": _SYSTEM_PROMPT + _UNIQUE, "temperature": 0.2, "max_tokens": 512}


def _short_response() -> dict[str, Any]:
    return {"instructions": _SYSTEM_PROMPT, "input": _UNIQUE, "temperature": 0.2, "max_output_tokens": 512}


def _short_message() -> dict[str, Any]:
    messages = [{"role": "user", "content": _UNIQUE}]
    return {"system": _SYSTEM_PROMPT, "messages": messages, "temperature": 0.2, "max_tokens": 512}


def _short_embedding() -> dict[str, Any]:
    return {"input": [_SYSTEM_PROMPT, _UNIQUE], "encoding_format": "base64"}


_SHORT: dict[WireName, Callable[[], dict[str, Any]]] = {
    "chat": _short_chat,
    "completions": _short_completion,
    "responses": _short_response,
    "messages": _short_message,
    "embeddings": _short_embedding,
}


def _schema(number: int) -> dict[str, Any]:
    said = f'Argument of tool {number}: a path below the repository\'s root, "quoted" where it has blanks.\n' * 3
    properties = {name: {"type": "string", "description": said} for name in ("path", "text")}
    return {"type": "object", "properties": properties, "required": ["path"], "additionalProperties": False}


def _arguments(turn: int) -> dict[str, str]:
    return {"path": f"src/module_{turn}.py", "text": _CODE * 3}


def _history_chat() -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": _AGENT_PROMPT}]
    messages.append({"role": "user", "content": "Mend the tests."})
    for turn in range(TURNS // 2):
        function = {"name": "edit", "arguments": json.dumps(_arguments(turn))}
        call = {"id": f"call_{turn}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": f"Now module {turn}.", "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"call_{turn}", "content": f"{turn}\n{_FILE}"})
    messages.append({"role": "user", "content": _UNIQUE})
    functions = [{"name": f"tool_{n}", "description": _CODE, "parameters": _schema(n)} for n in range(_TOOLS)]
    tools = [{"type": "function", "function": function} for function in functions]
    return {"messages": messages, "tools": tools, "temperature": 0.2, "max_tokens": 512}


def _history_response() -> dict[str, Any]:
    said = {"type": "message", "role": "user"}
    items: list[dict[str, Any]] = [{**said, "content": _text("input_text", "Mend the tests.")}]
    for turn in range(TURNS // 2):
        call = {"name": "edit", "arguments": json.dumps(_arguments(turn)), "call_id": f"call_{turn}"}
        items.append({"type": "function_call", "id": f"fc_{turn}", **call})
        items.append({"type": "function_call_output", "call_id": f"call_{turn}", "output": f"{turn}\n{_FILE}"})
    items.append({**said, "content": _text("input_text", _UNIQUE)})
    tools = [
        {"type": "function", "name": f"tool_{n}", "description": _CODE, "strict": False, "parameters": _schema(n)}
        for n in range(_TOOLS)
    ]
    return {"instructions": _AGENT_PROMPT, "input": items, "tools": tools, "store": False, "max_output_tokens": 512}


def _history_message() -> dict[str, Any]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": _text("text", "Mend the tests.")}]
    for turn in range(TURNS // 2):
        call = {"type": "tool_use", "id": f"toolu_{turn}", "name": "edit", "input": _arguments(turn)}
        messages.append({"role": "assistant", "content": [*_text("text", f"Now module {turn}."), call]})
        result = {"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": f"{turn}\n{_FILE}"}
        last = turn == TURNS // 2 - 1
        messages.append({"role": "user", "content": [result, *(_text("text", _UNIQUE) if last else [])]})
    tools = [{"name": f"tool_{n}", "description": _CODE, "input_schema": _schema(n)} for n in range(_TOOLS)]
    system = [{"type": "text", "text": _AGENT_PROMPT, "cache_control": {"type": "ephemeral"}}]
    return {"system": system, "messages": messages, "tools": tools, "max_tokens": 512}


def _text(kind: str, text: str) -> list[dict[str, Any]]:
    return [{"type": kind, "text": text}]


_HISTORY: dict[WireName, Callable[[], dict[str, Any]]] = {
    "chat": _history_chat,
    "responses": _history_response,
    "messages": _history_message,
}
