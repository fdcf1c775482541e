"""What a policy may be other than an objective, and what it may have beside one."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Weighted:
    """An A/B test: sessions are dealt out among these routes by weight."""

    name: ClassVar[str] = "weighted"

    weights: tuple[tuple[str, float], ...]
    """Route and weight; at least one weight is above 0."""

    @property
    def routes(self) -> tuple[str, ...]:
        return tuple(route for route, _ in self.weights)


@dataclass(frozen=True, slots=True)
class Fallback:
    """The first of these routes that can serve, in this order."""

    name: ClassVar[str] = "fallback"

    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Canary:
    """A share of the sessions goes to ``candidate``, the rest to ``stable``; ``policies.canary`` says how large.

    ``suite``, ``language``, ``at_least`` and ``confidence`` are the bar that the evidence is held against. ``at_least``
    None: the lower bound of the stable route's own pass@1.
    """

    name: ClassVar[str] = "canary"

    stable: str
    candidate: str
    suite: str
    language: str | None = None
    at_least: float | None = None
    confidence: float = 0.95
    start: float = 0.01
    grow: float = 2.0
    """What each step multiplies the share by; above 1."""
    until: float = 1.0
    every: int = 20
    """Scored tasks a step."""

    @property
    def routes(self) -> tuple[str, ...]:
        return self.stable, self.candidate


Kind = Weighted | Canary | Fallback


@dataclass(frozen=True, slots=True)
class Shadow:
    """Sessions are mirrored to the route ``to``, whose answers nobody sees."""

    to: str
    share: float = 1.0
    """Of the sessions."""
    nanousd_per_day: int = 0
    at_once: int = 4
    """Mirrored requests under way in one worker."""


@dataclass(frozen=True, slots=True)
class Stick:
    """Within a session the route changes only for a gain above ``margin`` plus the cost of a cold cache."""

    margin: float
