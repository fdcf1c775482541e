"""What watching may spend in any 24 hours."""

from collections import deque
from datetime import datetime, timedelta

_DAY = timedelta(days=1)


class Budget:
    """``nanousd_per_day`` None: as much as it takes."""

    def __init__(self, nanousd_per_day: int | None) -> None:
        self._limit = nanousd_per_day
        self._spent: deque[tuple[datetime, int]] = deque()
        self._dearest = 0

    @property
    def is_limited(self) -> bool:
        return self._limit is not None

    def add(self, at: datetime, nanousd: int | None) -> None:
        """A sample, in the order of time. One whose cost nobody tells counts like the dearest so far."""
        if self._limit is None:
            return
        cost = self._dearest if nanousd is None else nanousd
        self._dearest = max(self._dearest, cost)
        self._spent.append((at, cost))

    def spent(self, now: datetime) -> int:
        while self._spent and self._spent[0][0] <= now - _DAY:
            self._spent.popleft()
        return sum(cost for _, cost in self._spent)

    def allows(self, now: datetime) -> bool:
        """Whether one more sample may be asked, as dear as the dearest."""
        return self._limit is None or self.spent(now) + self._dearest <= self._limit
