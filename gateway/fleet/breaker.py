"""A replica's circuit breaker: after failures in a row it gets no requests for a while, and then one, to see.

Times are the event loop's seconds.
"""

from dataclasses import dataclass
from typing import Literal

State = Literal["closed", "half_open", "open"]

OPEN_AFTER_FAILURES = 3
OPEN_S = 5.0
OPEN_AT_MOST_S = 60.0


@dataclass(slots=True)
class Breaker:
    """Closed until it trips; then open until ``open_until``; then half open, until one request, the probe, has ended.

    Each time that it opens again without having closed, it stays open longer.
    """

    failures: int = 0
    """In a row."""
    openings: int = 0
    open_until: float = 0.0
    probing: bool = False

    @property
    def tripped(self) -> bool:
        return self.openings > 0

    def state(self, now: float) -> State:
        if not self.tripped:
            return "closed"
        return "open" if now < self.open_until else "half_open"

    def admits(self, now: float) -> bool:
        """Whether a request may go there that has another place to go."""
        return not self.tripped or (now >= self.open_until and not self.probing)

    def began(self, now: float) -> bool:
        """A request goes there; True: it is the probe, and every other is kept away until it has ended or begun."""
        if not self.tripped or not self.admits(now):
            return False
        self.probing = True
        return True

    def probe_answers(self) -> None:
        """Its first content is here: requests may go there again, but the next failure opens it."""
        self.reset()
        self.failures = OPEN_AFTER_FAILURES - 1

    def reset(self) -> None:
        """Closed, and the past does not count."""
        self.failures = self.openings = 0
        self.open_until = 0.0
        self.probing = False

    def succeeded(self) -> None:
        """What began before it tripped says nothing of it now."""
        if not self.tripped:
            self.failures = 0

    def failed(self, now: float, weight: int, *, probe: bool, may_open: bool) -> bool:
        """``weight``: how many failures it counts for. ``may_open``: others are left. True when it opens."""
        if self.tripped and not probe:
            return False
        self.failures += weight
        if not probe and (self.failures < OPEN_AFTER_FAILURES or not may_open):
            return False
        self.failures = 0
        self.probing = False
        self.openings += 1
        self.open_until = now + min(OPEN_S * self.openings, OPEN_AT_MOST_S)
        return True

    def undecided(self, *, probe: bool) -> None:
        """The request ended before it showed anything: where it was the probe, the next one is."""
        if probe:
            self.probing = False
