"""Output items of the Responses wire, made of the blocks of Claude's messages."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

SHOWN = frozenset(("text", "thinking", "redacted_thinking", "tool_use"))
"""Types of the blocks that become items."""


class Block(msgspec.Struct):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class Delta(msgspec.Struct):
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""


class ToolNames(Protocol):
    """How the names of tools were changed for Claude."""

    @property
    def custom(self) -> frozenset[str]: ...

    @property
    def namespaces(self) -> Mapping[str, tuple[str, str]]: ...


class Item:
    """One output item as it grows; its methods give the events that tell of it."""

    def __init__(self, block: Block, index: int, message_id: str, names: ToolNames) -> None:
        self.index = index
        self._block = block
        self._names = names
        self._is_custom = block.type == "tool_use" and block.name in names.custom
        prefix = {"text": "msg", "tool_use": "ctc" if self._is_custom else "fc"}.get(block.type, "rs")
        self._id = f"{prefix}_{message_id.removeprefix('msg_')}_{index}"
        self._arguments = ""

    def opened(self) -> list[dict[str, Any]]:
        events = [self._event("response.output_item.added", item=self.value(done=False))]
        if self._block.type == "text":
            events.append(self._of_part("response.content_part.added", part=_text("")))
        elif self._block.type == "thinking":
            events.append(self._of_summary("response.reasoning_summary_part.added", part=_summary("")))
        return events

    def grown(self, delta: Delta) -> list[dict[str, Any]]:
        self._block.text += delta.text
        self._block.thinking += delta.thinking
        self._block.signature += delta.signature
        self._arguments += delta.partial_json
        if delta.text:
            return [self._of_part("response.output_text.delta", delta=delta.text, logprobs=[])]
        if delta.thinking:
            return [self._of_summary("response.reasoning_summary_text.delta", delta=delta.thinking)]
        if delta.partial_json and not self._is_custom:
            return [self._of_item("response.function_call_arguments.delta", delta=delta.partial_json)]
        return []

    def closed(self) -> list[dict[str, Any]]:
        return [*self._ends(), self._event("response.output_item.done", item=self.value())]

    def value(self, *, done: bool = True) -> dict[str, Any]:
        """The item itself, whole or as it begins."""
        block, status = self._block, "completed" if done else "in_progress"
        if block.type == "text":
            content = [_text(block.text)] if done else []
            return {"type": "message", "id": self._id, "status": status, "role": "assistant", "content": content}
        if block.type == "tool_use":
            return {"id": self._id, "call_id": block.id, "status": status, **self._call(done)}
        item = {"type": "reasoning", "id": self._id, "summary": [_summary(block.thinking)] if block.thinking else []}
        return {**item, "encrypted_content": self._signed()} if done else item

    def _call(self, done: bool) -> dict[str, Any]:
        namespace, name = self._names.namespaces.get(self._block.name, (None, self._block.name))
        named = {"name": name, **({"namespace": namespace} if namespace else {})}
        if self._is_custom:
            return {"type": "custom_tool_call", **named, "input": self._text_argument() if done else ""}
        return {"type": "function_call", **named, "arguments": self._json_arguments() if done else ""}

    def _ends(self) -> list[dict[str, Any]]:
        block = self._block
        if block.type == "text":
            done = self._of_part("response.output_text.done", text=block.text, logprobs=[])
            return [done, self._of_part("response.content_part.done", part=_text(block.text))]
        if block.type == "thinking":
            done = self._of_summary("response.reasoning_summary_text.done", text=block.thinking)
            return [done, self._of_summary("response.reasoning_summary_part.done", part=_summary(block.thinking))]
        if self._is_custom:
            text = self._text_argument()
            delta = self._of_item("response.custom_tool_call_input.delta", delta=text)
            return [delta, self._of_item("response.custom_tool_call_input.done", input=text)]
        if block.type == "tool_use":
            arguments = self._json_arguments()
            return [self._of_item("response.function_call_arguments.done", name=block.name, arguments=arguments)]
        return []

    def _json_arguments(self) -> str:
        return self._arguments or bytes(self._block.input).decode()

    def _text_argument(self) -> str:
        """A custom tool is a function of one argument for Claude."""
        arguments = self._json_arguments()
        try:
            return msgspec.json.decode(arguments, type=dict[str, str]).get("content", arguments)
        except msgspec.DecodeError:
            return arguments

    def _signed(self) -> str:
        """Claude's own block, which it wants to see again with the next request; LiteLLM reads it from there."""
        block = self._block
        if block.type == "redacted_thinking":
            return msgspec.json.encode([{"type": block.type, "data": block.data}]).decode()
        signed = {"type": block.type, "thinking": block.thinking, "signature": block.signature}
        return msgspec.json.encode([signed]).decode()

    def _event(self, kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": kind, "output_index": self.index, **fields}

    def _of_item(self, kind: str, **fields: Any) -> dict[str, Any]:
        return self._event(kind, item_id=self._id, **fields)

    def _of_part(self, kind: str, **fields: Any) -> dict[str, Any]:
        return self._of_item(kind, content_index=0, **fields)

    def _of_summary(self, kind: str, **fields: Any) -> dict[str, Any]:
        return self._of_item(kind, summary_index=0, **fields)


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _summary(text: str) -> dict[str, str]:
    return {"type": "summary_text", "text": text}
