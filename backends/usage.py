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

    @classmethod
    def told(
        cls,
        input_tokens: int | None,
        output_tokens: int | None,
        cached_input_tokens: int | None = 0,
        cache_write_tokens: int | None = 0,
        cache_write_1h_tokens: int | None = 0,
    ) -> "Usage":
        """As a provider tells it, who may be wrong: nothing is less than none, nor a part more than the whole, so that
        no answer costs less than nothing.
        """
        fed = _within(input_tokens, _MOST)
        cached = _within(cached_input_tokens, fed)
        written = _within(cache_write_tokens, fed - cached)
        return cls(fed, _within(output_tokens, _MOST), cached, written, _within(cache_write_1h_tokens, written))


_MOST = 1_000_000_000
"""Tokens, more than any answer has: what is said to have more has no price that could be written down."""


def _within(count: int | None, most: int) -> int:
    return min(max(count or 0, 0), most)
