"""What a request asks, on each wire: the last turn's text, or the prompt that is to be gone on with."""

from collections.abc import Mapping
from typing import Any

import msgspec

from backends.backend import Call
from gateway.routing.request_language import language_of
from policies.verify import Question

_TURNS = {"chat": "messages", "messages": "messages", "responses": "input"}
_decode_turns = msgspec.json.Decoder(list[msgspec.Raw]).decode
_TEXTS = frozenset(("text", "input_text"))
_SEVERAL = ("n", "best_of")
_UNCHECKED = ("suffix", "echo", "previous_response_id", "conversation")
"""Fields of requests whose answer is no code by itself, or goes on from what one server alone knows."""


def question_of(call: Call) -> Question | None:
    """None where the last word is not the user's, or is more than text, or where several answers are asked for."""
    if any(_value(call, name) not in (None, 1) for name in _SEVERAL) or any(_value(call, n) for n in _UNCHECKED):
        return None
    continues = call.wire == "completions"
    text = _prompt(call) if continues else _last_turn(call)
    return Question(text, language_of(call.fields), continues) if text else None


def _prompt(call: Call) -> str | None:
    prompt = _value(call, "prompt")
    return prompt if isinstance(prompt, str) else None


def _last_turn(call: Call) -> str | None:
    """Nothing before it is looked at: a conversation may be long."""
    try:
        turns = _decode_turns(call.fields.get(_TURNS.get(call.wire, ""), b"[]"))
    except msgspec.DecodeError:
        text = _value(call, "input") if call.wire == "responses" else None
        return text if isinstance(text, str) else None
    last = msgspec.json.decode(turns[-1]) if turns else None
    if not isinstance(last, Mapping) or last.get("role") != "user":
        return None
    content = last.get("content")
    if isinstance(content, str):
        return content
    texts = [_text(part) for part in content] if isinstance(content, list) else [None]
    return None if None in texts else "\n".join(text for text in texts if text is not None)


def _text(part: Any) -> str | None:
    if not isinstance(part, Mapping) or part.get("type") not in _TEXTS:
        return None
    text = part.get("text")
    return text if isinstance(text, str) else None


def _value(call: Call, name: str) -> Any:
    return msgspec.json.decode(call.fields[name]) if name in call.fields else None
