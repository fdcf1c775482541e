"""A request's body: its fields, each as it was written, and no more of them than anybody needs."""

import msgspec

from gateway.problem import Problem

MOST_KEYS = 100_000
MOST_FIELDS = 1_000
_LEAST_BYTES = len(b'"":0,')
_MANY_BRACKETS = 500  # half of what the stack has room for
_ROOM = 80
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def check_keys(body: bytes) -> None:
    """Before it is read: with a million keys that would hold up everybody else for a second.

    Counted is what ends a key as encoders write it, and not what ends a quotation in a text. Raises ``Problem`` 400.
    """
    if len(body) < MOST_KEYS * _LEAST_BYTES:
        return
    keys = sum(body.count(b'"' + end) - body.count(b'\\"' + end) for end in (b":", b" :"))
    if keys > MOST_KEYS:
        raise _too_many(MOST_KEYS, "keys")


def decode_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Raises ``msgspec.DecodeError``, ``RecursionError``, ``Problem`` 400."""
    nests = body.count(b"[") + body.count(b"{") > _MANY_BRACKETS
    fields = _decode_with_room(body, _ROOM) if nests else _decode(body)
    if len(fields) > MOST_FIELDS:
        raise _too_many(MOST_FIELDS, "fields")
    return fields


def _decode_with_room(body: bytes, frames: int) -> dict[str, msgspec.Raw]:
    """What can just be read here could not be read again from further up the stack, where others will."""
    return _decode_with_room(body, frames - 1) if frames else _decode(body)


def _too_many(most: int, what: str) -> Problem:
    return Problem(400, "invalid_json", f"the request's body has more than {most:,} {what}")
