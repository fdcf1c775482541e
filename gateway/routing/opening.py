"""What a request's conversation began with: the user's words before the model's first answer, on any wire.

All requests of a conversation begin alike, so what is decided by this stays as it is while it goes on, and the prompt
stays in one route's cache. Only the beginning of a prompt is read, so the time is bounded.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from backends.backend import Call
from gateway.routing.request_language import language_of
from policies.features import features
from policies.learned import Prompt
from policies.request import RequestTraits

_TURNS = {"chat": "messages", "messages": "messages", "responses": "input", "completions": "prompt"}
_MOST_BYTES = 64 * 1024
_MOST_TURNS = 64
_TEXTS = frozenset(("text", "input_text"))
_ELSEWHERE = ("previous_response_id", "conversation", "suffix")
"""Fields of requests whose beginning is not in them, or that end in what they bring."""
_decode = json.JSONDecoder().raw_decode
_UNREADABLE = Prompt(unread="unreadable")


def prompt_of(call: Call, traits: RequestTraits) -> Prompt:
    """The language is what the client says, or else what the opening tells. Never raises."""
    if traits.needs:
        return Prompt(unread="more_than_text")
    found = opening_of(call)
    if found is None:
        return _UNREADABLE
    text, raw = found
    spoken = traits.language or language_of({"prompt": msgspec.Raw(raw)})
    return Prompt(features(text, spoken), spoken)


def prompt_of_text(text: str, traits: RequestTraits) -> Prompt:
    """As of a request that asks just this."""
    raw = json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")
    return prompt_of(Call("completions", {"prompt": msgspec.Raw(raw)}, stream=False), traits)


def opening_of(call: Call) -> tuple[str, bytes] | None:
    """The last user turn of the opening, and the opening as it came; None where it is not all text, or too long."""
    raw = call.fields.get(_TURNS.get(call.wire, ""))
    if raw is None or any(name in call.fields for name in _ELSEWHERE):
        return None
    begun = bytes(memoryview(raw)[:_MOST_BYTES])
    try:
        shown = begun.decode("utf-8", "ignore").lstrip()
        if shown.startswith('"'):
            return _decode(shown)[0], begun
        if shown.startswith("["):
            return _of_turns(shown)
    except (ValueError, RecursionError):  # cut off in the middle of a turn, or no JSON
        return None
    return None


def _of_turns(shown: str) -> tuple[str, bytes] | None:
    text: str | None = None
    end = 0
    for turn, stop in _turns(shown):
        role = turn.get("role")
        if role not in ("user", "system", "developer"):
            break
        end = stop
        if role == "user":
            text = _text(turn.get("content"))
    return None if text is None else (text, shown[:end].encode())


def _turns(shown: str) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Each with where it ends. Raises JSONDecodeError where the text is cut off before an answer."""
    place = 1
    for _ in range(_MOST_TURNS):
        while shown[place : place + 1] in (" ", "\n", "\t", "\r", ","):
            place += 1
        if shown[place : place + 1] == "]":
            return
        turn, place = _decode(shown, place)
        yield (turn if isinstance(turn, dict) else {}), place


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    parts = [part if isinstance(part, dict) else {} for part in content] if isinstance(content, list) else []
    if not parts or any(part.get("type") not in _TEXTS or not isinstance(part.get("text"), str) for part in parts):
        return None
    return "\n".join(part["text"] for part in parts)
