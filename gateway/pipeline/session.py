"""Which conversation a request goes on with: the session that its client names, or else what its prompt says so far."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import takewhile
from typing import Literal

import msgspec

from backends.backend import Call, WireName

_HEADERS = (b"x-claude-code-session-id", b"session-id", b"thread-id", b"x-session-affinity")
_NAMES = frozenset(_HEADERS)
_PROMPTS: Mapping[WireName, tuple[tuple[str, ...], str]] = {
    "chat": (("tools",), "messages"),
    "messages": (("tools", "system"), "messages"),
    "responses": (("tools", "instructions"), "input"),
    "completions": ((), "prompt"),
}
"""The fields that a server puts before everything else, and the one that holds the turns or the text."""

_FIRST_ROLES = frozenset(("system", "developer", "user"))
_BLOCK = 1024
_MOST_MARKS = 512
_DIGEST = 12

_AN_ID = re.compile(r"[!-~]{1,128}")
_IN_USER_ID = re.compile(r'(?:_session_|"session_id":\s*")([0-9A-Za-z_-]{1,128})(?:"|$)')

Kind = Literal["session", "turns", "text"]


@dataclass(frozen=True, slots=True)
class Conversation:
    """``marks`` are hashes of all that was said up to each turn, or each kilobyte of a text; the shortest first.

    Requests that share a mark share the prompt up to there. A session's first mark is the session itself: an agent
    has several conversations in one.
    """

    kind: Kind
    marks: Sequence[bytes]
    opening: bytes
    """The mark of what stands before the model's first word: the same for all requests of a conversation."""


class _Turn(msgspec.Struct):
    role: str = ""


class _Metadata(msgspec.Struct):
    user_id: str | None = None


_decode_turns = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_turn = msgspec.json.Decoder(_Turn).decode


def session_id(headers: Iterable[tuple[bytes, bytes]], fields: Mapping[str, msgspec.Raw]) -> str | None:
    """What the client calls its session: one of the headers that agents send, ``prompt_cache_key``, or what older
    versions of Claude Code write into ``metadata.user_id``.
    """
    named = {name: value for name, value in headers if name in _NAMES and value}
    if named:
        return next(named[name] for name in _HEADERS if name in named).decode("latin-1")
    if "prompt_cache_key" in fields and (key := _text(fields["prompt_cache_key"])):
        return key
    return _of_user(fields["metadata"]) if "metadata" in fields else None


def attributed(session: str | None) -> str | None:
    """The session as the ledger, the log and spans name it: at most 128 printable characters without a blank.

    What does not look like an id stands there as a hash: it may be a text that somebody wrote.
    """
    if session is None or _AN_ID.fullmatch(session):
        return session
    return f"blake2b:{blake2b(session.encode(), digest_size=16).hexdigest()}"


def conversation_of(call: Call) -> Conversation | None:
    """None where nothing is to be gained: a wire without a prompt cache, or a prompt that is short or not readable.

    Tenants share no marks, as they share no prompt cache.
    """
    if call.wire not in _PROMPTS:
        return None
    said = blake2b((call.session or "").encode(), key=call.tenant.key if call.tenant else b"", digest_size=_DIGEST)
    session = said.digest()
    prompt = _of_prompt(said, call)
    if call.session is None:
        return prompt
    return Conversation("session", (session, *(prompt.marks if prompt else ())), session)


def opening_of(call: Call) -> bytes | None:
    """``conversation_of(call).opening``, without a look at what was said since; of a named session on any wire."""
    said = blake2b((call.session or "").encode(), digest_size=_DIGEST)
    if call.session is not None:
        return said.digest()
    beginning = _of_prompt(said, call, opening_only=True) if call.wire in _PROMPTS else None
    return beginning.opening if beginning is not None else None


def _of_prompt(said: "blake2b", call: Call, *, opening_only: bool = False) -> Conversation | None:
    before, main = _PROMPTS[call.wire]
    if main not in call.fields:
        return None
    for name in before:
        said.update(call.fields.get(name, b""))
    try:
        turns = _decode_turns(call.fields[main])
    except (msgspec.DecodeError, RecursionError):
        text = _text(call.fields[main])
        data = text.encode("utf-8", "replace") if text else b""
        return _of_text(said, data[:_BLOCK] if opening_only else data)
    if opening_only:
        turns = turns[: _before_the_answer(turns)]
    return _of_turns(said, turns) if turns else None


def _of_turns(said: "blake2b", turns: Sequence[msgspec.Raw]) -> Conversation:
    first = _before_the_answer(turns)
    marks: list[bytes] = []
    opening = b""
    for number, turn in enumerate(turns, 1):
        said.update(turn)
        if number == first:
            opening = said.digest()
        if number > len(turns) - _MOST_MARKS:
            marks.append(said.digest())
    return Conversation("turns", marks, opening)


def _before_the_answer(turns: Sequence[msgspec.Raw]) -> int:
    """Turns, at least one."""
    return max(1, sum(1 for _ in takewhile(_is_before_the_answer, turns)))


def _of_text(said: "blake2b", text: bytes) -> Conversation | None:
    """What is less than a block is left out: the next request will have more there."""
    marks: list[bytes] = []
    for end in range(_BLOCK, min(len(text), _BLOCK * _MOST_MARKS) + 1, _BLOCK):
        said.update(text[end - _BLOCK : end])
        marks.append(said.digest())
    return Conversation("text", marks, marks[0]) if marks else None


def _is_before_the_answer(turn: msgspec.Raw) -> bool:
    try:
        return _decode_turn(turn).role in _FIRST_ROLES
    except (msgspec.DecodeError, RecursionError):
        return False


def _of_user(metadata: msgspec.Raw) -> str | None:
    """``user_..._session_ID``, or JSON with a ``session_id``, as text."""
    try:
        user = msgspec.json.decode(metadata, type=_Metadata).user_id
    except (msgspec.DecodeError, RecursionError):
        return None
    found = _IN_USER_ID.search(user) if user else None
    return found[1] if found else None


def _text(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str)
    except msgspec.DecodeError:
        return None
