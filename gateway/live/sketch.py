"""Quantiles of a stream in fixed memory: DDSketch (Masson, Rim and Lee, PVLDB 12(12), 2019), with bounded buckets.

Buckets grow by a constant factor, so every quantile is wrong by at most a fixed share of itself, and two sketches
merge into exactly that of both streams together.
"""

from collections import Counter
from collections.abc import Mapping
from math import ceil, exp, log

ERROR = 0.02
"""A quantile is told within this share of its true value, between the shortest and the longest time."""
SHORTEST_MS, LONGEST_MS = 0.01, 1e7
"""Whatever is shorter or longer counts as that; the longest is three hours."""

_LOG_FACTOR = log((1 + ERROR) / (1 - ERROR))
FIRST, LAST = (ceil(log(ms) / _LOG_FACTOR) for ms in (SHORTEST_MS, LONGEST_MS))
MOST_BUCKETS = LAST - FIRST + 1


class Sketch:
    """Bucket ``i`` counts times in (f^(i-1), f^i] milliseconds, where f is the factor."""

    __slots__ = ("_buckets",)

    def __init__(self, buckets: Mapping[int, int] | None = None) -> None:
        self._buckets: Counter[int] = Counter(buckets)

    @property
    def buckets(self) -> Mapping[int, int]:
        """How many times are in which."""
        return self._buckets

    def __len__(self) -> int:
        """How many buckets it holds, at most ``MOST_BUCKETS``."""
        return len(self._buckets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and self._buckets == other._buckets

    __hash__ = None  # type: ignore[assignment]  # it changes

    @property
    def count(self) -> int:
        return self._buckets.total()

    def add(self, ms: float) -> None:
        self._buckets[ceil(log(min(max(ms, SHORTEST_MS), LONGEST_MS)) / _LOG_FACTOR)] += 1

    def merge(self, other: "Sketch") -> None:
        self._buckets.update(other._buckets)

    def quantile(self, share: float) -> float | None:
        """The shortest time that ``share`` of all are within, in milliseconds; None of nothing. ``share`` in (0, 1]."""
        rank = ceil(share * self.count)
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return exp(bucket * _LOG_FACTOR) * (1 - ERROR)  # as far from both ends, by share
        return None
