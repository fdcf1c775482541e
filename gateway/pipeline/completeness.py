"""Whether a whole answer is one: servers send errors, and what they have only begun, with status 200 too."""

import msgspec

from backends.backend import WireName

_NULL = msgspec.Raw(b"null")
_FINAL = frozenset(("completed", "incomplete"))


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    """What the wires' answers have of this."""

    error: msgspec.Raw = _NULL
    choices: list[_Choice] | None = None
    status: str | None = None
    stop_reason: str | None = None

    def is_of(self, wire: WireName) -> bool:
        match wire:
            case "chat" | "completions":
                ends = [choice.finish_reason for choice in self.choices or ()]
                return bool(ends) and all(end and end != "error" for end in ends)
            case "responses":
                return self.status in _FINAL
            case "messages":
                return bool(self.stop_reason)
        return True


_decode = msgspec.json.Decoder(_Answer).decode


def is_complete(wire: WireName, body: bytes) -> bool:
    """As its server says. One that the model ended at ``max_tokens`` is complete: it is what was asked for."""
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return bytes(answer.error) == b"null" and answer.is_of(wire)
