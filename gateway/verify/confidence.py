"""``verify: confidence``: the model's own word. Token probabilities are asked for, and taken out of the answer."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

from backends.backend import Call, Piece
from gateway.verify.said import bodies
from policies.verify import Found, Question, Said, Verification

_ASKED = {"chat": msgspec.Raw(b"true"), "completions": msgspec.Raw(b"1")}
"""``logprobs``, by wire; the others have no way to ask."""


class ConfidenceVerifier:
    async def check(self, question: Question, rule: Verification) -> "ConfidenceCheck | None":
        return None if rule.at_least is None else ConfidenceCheck(rule.at_least)


@dataclass(frozen=True, slots=True)
class ConfidenceCheck:
    at_least: float

    async def look(self, said: Said) -> Found:
        if said.mean_logprob is None:
            return Found("unavailable")
        return Found("passed" if said.mean_logprob >= self.at_least else "failed")


def can_ask(call: Call) -> bool:
    return call.wire in _ASKED


def with_logprobs(call: Call) -> Call:
    """The call that gets them; itself where the client asks for them, too."""
    if asks(call):
        return call
    return replace(call, fields={**call.fields, "logprobs": _ASKED[call.wire]})


def asks(call: Call) -> bool:
    """Whether the client itself wants to see them."""
    value = msgspec.json.decode(call.fields["logprobs"]) if "logprobs" in call.fields else None
    return value is not None and value is not False


def without_logprobs(pieces: list[Piece]) -> list[Piece]:
    return [piece for given in pieces for piece in _without(given)]


def _without(piece: Piece) -> Iterator[Piece]:
    body = next(bodies([piece.data]), None)
    choices = body.get("choices") if body is not None else None
    if body is None or not isinstance(choices, list) or b'"logprobs"' not in piece.data:
        yield piece
        return
    plain = [{**choice, "logprobs": None} if isinstance(choice, dict) else choice for choice in choices]
    data = msgspec.json.encode({**body, "choices": plain})
    yield Piece(data if piece.data.lstrip()[:1] == b"{" else b"data: " + data + b"\n\n", piece.content)
