"""Tokens of one answer, and how we know them."""

from dataclasses import dataclass
from typing import Literal

UsageSource = Literal["provider", "last_seen", "estimated", "unknown"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; ``cached_input_tokens`` is contained in ``input_tokens``."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
