"""Fields that say how much is wanted. Servers differ in what they make of ``true`` or of a thousand million answers."""

from collections.abc import Mapping

import msgspec

from gateway.problem import Problem

_MOST_ANSWERS = 128  # OpenAI's own limit
_MOST_TOKENS = 2**31 - 1
_COUNTS: Mapping[str, tuple[int, int]] = {
    "n": (1, _MOST_ANSWERS),
    "best_of": (1, _MOST_ANSWERS),
    "max_tokens": (0, _MOST_TOKENS),
    "max_completion_tokens": (0, _MOST_TOKENS),
    "max_output_tokens": (0, _MOST_TOKENS),
}


def check_counts(fields: Mapping[str, msgspec.Raw]) -> None:
    """Raises ``Problem`` 400."""
    for name, (least, most) in _COUNTS.items():
        if name in fields:
            count = _count(fields[name])
            if count is not None and (type(count) is not int or not least <= count <= most):
                message = f"{name} is a whole number from {least} to {most:,}"
                raise Problem(400, "invalid_request", message, param=name)


def _count(raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw, type=int | None, strict=True)
    except msgspec.DecodeError:
        return raw
