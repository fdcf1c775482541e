"""How fast a route's revision answers now: quantiles of the requests that it served in the last minutes."""

from dataclasses import dataclass
from typing import Literal

import msgspec

TimeName = Literal["ttft_p50_ms", "ttft_p99_ms", "total_p50_ms", "total_p99_ms"]

LatencySource = Literal["live", "replayed", "worst"]
"""``live``: what requests take now, and, where too few came, the scorecard's time; ``replayed``: the scorecard's;
``worst``: whichever of them is longer."""

WINDOW_S = 600
LEAST = {"p50": 20, "p99": 100}
"""Requests below which a live quantile counts as unmeasured: of fewer than 100, no p99 is told from the slowest."""


@dataclass(frozen=True, slots=True)
class LiveTimes:
    """Milliseconds; None where nothing was timed. A quantile is that of an attempt at this route alone."""

    route: str
    revision: str
    first_tokens: int = 0
    """Streams timed to their first token."""
    ttft_p50_ms: float | None = None
    ttft_p99_ms: float | None = None
    answers: int = 0
    """Answers timed to their end."""
    total_p50_ms: float | None = None
    total_p99_ms: float | None = None

    def count(self, time: TimeName) -> int:
        """How many requests the quantile rests on."""
        return self.first_tokens if time.startswith("ttft") else self.answers

    def figure(self, time: TimeName) -> float | None:
        """None where too few requests came to say."""
        figure: float | None = getattr(self, time)
        return figure if self.count(time) >= LEAST[time.split("_")[1]] else None


class InvalidTimes(ValueError):
    """Not what :func:`encode_times` writes."""


def encode_times(times: tuple[LiveTimes, ...]) -> bytes:
    return msgspec.json.encode(times)


def decode_times(data: bytes) -> tuple[LiveTimes, ...]:
    """Raises InvalidTimes."""
    try:
        return msgspec.json.decode(data, type=tuple[LiveTimes, ...])
    except msgspec.MsgspecError as error:
        raise InvalidTimes(str(error)) from error
