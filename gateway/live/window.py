"""The last ten minutes of every route's revision, in slots of a minute: the oldest is dropped, the rest are merged."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.ledger.events import AttemptDetail, Event, Settled
from gateway.live.exchange import Told
from gateway.live.sketch import Sketch
from policies.live import WINDOW_S, LiveTimes

_SLOT_S = 60
_SLOTS = WINDOW_S // _SLOT_S
_FRESH = frozenset(("miss", "bypass"))
"""What was asked of a route for this request: neither cached, nor joined."""
_GENERATION = frozenset(("chat", "completions", "responses", "messages"))
"""Wires whose answers are generated: embeddings and counts of tokens take other times."""
_TIMED = frozenset(("ok", "rejected", "timeout"))
"""A time-out took at least as long as was waited for it. Whoever failed at once, or was left, was not timed."""


@dataclass(slots=True)
class _Slot:
    first_token: Sketch = field(default_factory=Sketch)
    total: Sketch = field(default_factory=Sketch)

    def add(self, attempt: AttemptDetail, *, streamed: bool) -> None:
        self.total.add(attempt.ms)
        if streamed:  # a whole answer has no first token to be timed
            self.first_token.add(attempt.ms if attempt.ttft_ms is None else attempt.ttft_ms)

    def merge(self, other: "_Slot") -> None:
        self.first_token.merge(other.first_token)
        self.total.merge(other.total)


class Window:
    """Bounded: a slot a minute, of at most ``MOST_BUCKETS`` buckets each, for routes that served in the last ten."""

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str], dict[int, _Slot]] = {}

    def record(self, events: Iterable[Event]) -> None:
        """Ledger events in any order; each must come once."""
        for event in events:
            if isinstance(event, Settled) and event.cache in _FRESH and event.wire in _GENERATION:
                for attempt in event.attempts:
                    if attempt.outcome in _TIMED:
                        slots = self._slots.setdefault((attempt.route, attempt.revision), {})
                        slots.setdefault(int(event.at // _SLOT_S), _Slot()).add(attempt, streamed=event.streamed)

    def told(self, now: float) -> tuple[Told, ...]:
        """What other gateways may hear of it, by route and revision; ``now`` in Unix seconds.

        What is older than the window is forgotten.
        """
        oldest = int(now // _SLOT_S) - _SLOTS + 1
        kept = {
            owner: {number: slot for number, slot in slots.items() if number >= oldest}
            for owner, slots in self._slots.items()
        }
        self._slots = {owner: slots for owner, slots in kept.items() if slots}
        return tuple(_told(*owner, self._slots[owner].values()) for owner in sorted(self._slots))


def _told(route: str, revision: str, slots: Iterable[_Slot]) -> Told:
    merged = _Slot()
    for slot in slots:
        merged.merge(slot)
    return Told(route, revision, merged.first_token.buckets, merged.total.buckets)


def times(told: Iterable[Told]) -> tuple[LiveTimes, ...]:
    """Of all together, by route and revision."""
    merged: dict[tuple[str, str], _Slot] = {}
    for each in told:
        slot = _Slot(Sketch(each.first_token), Sketch(each.total))
        merged.setdefault((each.route, each.revision), _Slot()).merge(slot)
    return tuple(_times(*owner, merged[owner]) for owner in sorted(merged))


def _times(route: str, revision: str, slot: _Slot) -> LiveTimes:
    first_token, total = slot.first_token, slot.total
    return LiveTimes(
        route,
        revision,
        first_token.count,
        first_token.quantile(0.5),
        first_token.quantile(0.99),
        total.count,
        total.quantile(0.5),
        total.quantile(0.99),
    )
