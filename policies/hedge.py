"""Hedging: a request that nobody has begun to answer in time is asked a second time, elsewhere."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hedge:
    """``after_ms`` None: as long as 95 of 100 answers take to their first content."""

    after_ms: float | None = None
