"""Tokens of one answer, and how we know them."""

from dataclasses import dataclass
from typing import Literal

UsageSource = Literal["provider", "last_seen", "estimated", "unknown"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts, as the provider bills them."""

    input_tokens: int = 0
    """All of them: fresh, read from the provider's cache, and written to it."""
    output_tokens: int = 0
    cached_input_tokens: int = 0
    """Read from the provider's cache."""
    cache_write_tokens: int = 0
    """Written to the provider's cache, for however long."""
    cache_write_1h_tokens: int = 0
    """Those of ``cache_write_tokens`` that it keeps for an hour."""
