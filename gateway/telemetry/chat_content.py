"""What a chat's own bytes say, for spans: the model that answered, and, only where it was asked for, who said what.

The shape of messages is that of the GenAI conventions: a role and parts. Media are named, not copied; a long text is
cut. What cannot be read is left out: it is the upstream's to complain, not telemetry's.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from backends.backend import Call
from backends.sse import data_of
from gateway.telemetry import names

_LONGEST_TEXT = 64 * 1024
_UNREADABLE = (msgspec.DecodeError, RecursionError)


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


class _Message(msgspec.Struct):
    role: str | None = None
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None


class _Model(msgspec.Struct):
    model: str | None = None


class _Written(msgspec.Struct, omit_defaults=True):
    """A message or a part of one, as the conventions write it."""

    role: str | None = None
    parts: "list[_Written] | None" = None
    finish_reason: str | None = None
    type: str | None = None
    content: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    response: str | None = None


_decode_model = msgspec.json.Decoder(_Model).decode
_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_messages = msgspec.json.Decoder(list[_Message]).decode


def served_model(pieces: Iterable[bytes]) -> str | None:
    """The model as the upstream names it, from the first of an answer's pieces that can be read."""
    for data in _bodies(pieces):
        try:
            return _decode_model(data).model
        except _UNREADABLE:
            continue
    return None


def messages(call: Call, pieces: Iterable[bytes]) -> dict[str, str | None]:
    """The attributes that hold what was asked and what was answered, each a JSON list of messages."""
    return {names.GEN_AI_INPUT_MESSAGES: _asked(call), names.GEN_AI_OUTPUT_MESSAGES: _answered(pieces)}


def _asked(call: Call) -> str | None:
    try:
        found = _decode_messages(call.fields.get("messages", msgspec.Raw(b"[]")))
    except _UNREADABLE:
        return None
    return _json([_Written(role=m.role, parts=list(_parts(m))) for m in found])


def _parts(message: _Message) -> Iterator[_Written]:
    texts = message.content if isinstance(message.content, list) else [_Part("text", message.content)]
    for part in texts:
        if message.tool_call_id is not None:
            yield _Written(type="tool_call_response", id=message.tool_call_id, response=_cut(part.text or ""))
        elif part.text is not None or part.type != "text":
            yield _Written(type=part.type, content=_cut(part.text) if part.text is not None else None)
    for call in message.tool_calls or ():
        yield _tool_call(call.id, call.function or _Function())


def _tool_call(id: str | None, function: _Function) -> _Written:
    return _Written(type="tool_call", id=id, name=function.name, arguments=_cut(function.arguments or ""))


@dataclass(slots=True)
class _Answer:
    """One choice as it grows."""

    text: str = ""
    calls: dict[int, _ToolCall] = field(default_factory=dict)
    finish_reason: str | None = None

    def add(self, choice: _Choice) -> None:
        self.finish_reason = choice.finish_reason or self.finish_reason
        said = choice.message or choice.delta or _Message()
        if isinstance(said.content, str):
            self.text += said.content
        for position, call in enumerate(said.tool_calls or ()):
            known = self.calls.setdefault(position if choice.message else call.index, _ToolCall(function=_Function()))
            known.id = known.id or call.id
            if known.function is not None and call.function is not None:
                known.function.name = known.function.name or call.function.name
                known.function.arguments = (known.function.arguments or "") + (call.function.arguments or "")

    def written(self) -> _Written:
        parts = [_Written(type="text", content=_cut(self.text))] if self.text else []
        parts += [_tool_call(call.id, call.function or _Function()) for call in self.calls.values()]
        return _Written(role="assistant", parts=parts, finish_reason=self.finish_reason)


def _answered(pieces: Iterable[bytes]) -> str | None:
    answers: dict[int, _Answer] = {}
    for data in _bodies(pieces):
        try:
            chunk = _decode_chunk(data)
        except _UNREADABLE:
            continue
        for choice in chunk.choices or ():
            answers.setdefault(choice.index, _Answer()).add(choice)
    return _json([answer.written() for answer in answers.values()])


def _bodies(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON of a whole answer, or of each event of a stream."""
    for piece in pieces:
        data = piece if piece.lstrip()[:1] == b"{" else data_of(piece)
        if data:
            yield data


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "…"


def _json(written: list[_Written]) -> str | None:
    return msgspec.json.encode(written).decode() if written else None
