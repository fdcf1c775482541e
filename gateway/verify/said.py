"""What a held answer says: its text and its tokens' probabilities, from the bytes of any wire, streamed or whole."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from backends.backend import WireName
from backends.sse import data_of
from policies.verify import Said

_CALLS = frozenset(("tool_use", "server_tool_use"))
_UNREADABLE = (msgspec.DecodeError, RecursionError)


def said_by(wire: WireName, pieces: Iterable[bytes]) -> Said | None:
    """None where the answer calls a tool, or gives several choices."""
    answer = _Answer()
    for body in bodies(pieces):
        match wire:
            case "chat" | "completions":
                answer.add_choices(body)
            case "messages":
                answer.add_message(body)
            case "responses":
                answer.add_response(body)
    if answer.other:
        return None
    logprobs = answer.logprobs
    return Said("".join(answer.texts), sum(logprobs) / len(logprobs) if logprobs else None)


def bodies(pieces: Iterable[bytes]) -> Iterator[Mapping[str, Any]]:
    """The JSON object of a whole answer, or of each event of a stream; what is none is left out."""
    for piece in pieces:
        data = piece if piece.lstrip()[:1] == b"{" else data_of(piece)
        try:
            body = msgspec.json.decode(data) if data else None
        except _UNREADABLE:
            continue
        if isinstance(body, dict):
            yield body


@dataclass(slots=True)
class _Answer:
    texts: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    other: bool = False
    """It holds more than one text."""

    def add_choices(self, body: Mapping[str, Any]) -> None:
        for choice in _dicts(body.get("choices")):
            said = _dict(choice.get("message") or choice.get("delta") or choice)
            self.other |= bool(choice.get("index") or said.get("tool_calls") or said.get("function_call"))
            self._add(said.get("content") if said is not choice else choice.get("text"))
            self._add_logprobs(_dict(choice.get("logprobs")))

    def add_message(self, body: Mapping[str, Any]) -> None:
        for block in [*_dicts(body.get("content")), _dict(body.get("content_block"))]:
            self.other |= block.get("type") in _CALLS
            self._add(block.get("text"))
        self._add(_dict(body.get("delta")).get("text"))

    def add_response(self, body: Mapping[str, Any]) -> None:
        """A stream says everything twice or more: what it says in pieces is what counts."""
        if body.get("type") == "response.output_text.delta":
            self._add(body.get("delta"))
        whole = body.get("object") == "response"
        for item in [*(_dicts(body.get("output")) if whole else ()), _dict(body.get("item"))]:
            self.other |= str(item.get("type", "")).endswith("_call")
            for part in _dicts(item.get("content")) if whole else ():
                self._add(part.get("text"))

    def _add(self, text: Any) -> None:
        if isinstance(text, str):
            self.texts.append(text)

    def _add_logprobs(self, given: Mapping[str, Any]) -> None:
        """Chat has an object a token, completions a list of numbers."""
        values = [token.get("logprob") for token in _dicts(given.get("content"))]
        values += given["token_logprobs"] if isinstance(given.get("token_logprobs"), list) else []
        self.logprobs += [float(value) for value in values if isinstance(value, int | float)]


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
