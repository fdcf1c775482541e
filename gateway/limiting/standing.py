"""Where a key stands with its limits, in the headers that SDKs read."""

from dataclasses import dataclass
from datetime import UTC, datetime

Headers = list[tuple[bytes, bytes]]
_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Meter:
    """``limit`` is a minute's; ``reset_us`` is microseconds until all of it is there again."""

    limit: int
    used: int
    reset_us: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Standing:
    """``at`` is Unix seconds; None where there is no such limit."""

    requests: Meter | None
    tokens: Meter | None
    at: float


def headers_of(standing: Standing, wire: str) -> Headers:
    """``x-ratelimit-*`` as OpenAI sends them, on Messages ``anthropic-ratelimit-*`` as Anthropic does."""
    anthropics = wire in ("messages", "count_tokens")
    headers: Headers = []
    for kind, meter in (("requests", standing.requests), ("tokens", standing.tokens)):
        if meter is None:
            continue
        fields = {"limit": str(meter.limit), "remaining": str(meter.remaining)}
        if anthropics:
            fields["reset"] = _instant(standing.at + meter.reset_us / _US)
            headers += [(f"anthropic-ratelimit-{kind}-{name}".encode(), text.encode()) for name, text in fields.items()]
        else:
            fields["reset"] = _duration(meter.reset_us)
            headers += [(f"x-ratelimit-{name}-{kind}".encode(), text.encode()) for name, text in fields.items()]
    return headers


def _instant(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _duration(microseconds: int) -> str:
    """As Go writes it: ``1m30s``, ``1.5s``, ``20ms``."""
    milliseconds = -(-microseconds // 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    seconds = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
