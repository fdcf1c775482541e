"""What a long replay is doing, for somebody who watches: a line that changes on a terminal, else one now and then."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Literal, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from evaluator.figures import dollars, duration, share
from evaluator.scorecards import Tally

Activity = Literal["calling", "backing off", "judging"]

_ACTIVITIES: tuple[Activity, ...] = ("calling", "backing off", "judging")


class Progress:
    """Counts settled samples of ``total``, those of an interrupted run before included; ``tally`` holds their score."""

    def __init__(self, title: str, total: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.tally = Tally()
        self._title = title
        self._total = total
        self._clock = clock
        self._started = clock()
        self._before = 0
        self._now: Counter[Activity] = Counter()

    @property
    def settled(self) -> int:
        return self.tally.asked + self.tally.from_cache

    def resume(self) -> None:
        """What is settled by now was settled by an earlier command, and says nothing about this one's speed."""
        self._before = self.settled
        self._started = self._clock()

    @contextmanager
    def doing(self, activity: Activity) -> Iterator[None]:
        self._now[activity] += 1
        try:
            yield
        finally:
            self._now[activity] -= 1

    def eta_s(self) -> float | None:
        done = self.settled - self._before
        return (self._total - self.settled) * (self._clock() - self._started) / done if done else None

    def line(self) -> str:
        """One line: how far, how good so far, what it cost, how long yet, and what is going on."""
        eta = self.eta_s()
        parts = [
            f"{self._title}: {self.settled}/{self._total} samples",
            f"pass@1 {share(self.tally.pass_at_1)}",
            "cost unknown" if self.tally.cost_is_unknown else dollars(self.tally.cost_nanousd),
            "ETA -" if eta is None else f"ETA {duration(eta)}",
            ", ".join(f"{activity} {self._now[activity]}" for activity in _ACTIVITIES),
        ]
        return " | ".join(parts)


@asynccontextmanager
async def shown(progress: Progress, stream: TextIO, *, every_s: float = 5) -> AsyncIterator[None]:
    """Keeps ``progress`` in view on ``stream`` while the body runs."""
    console = Console(file=stream)
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            async with _every(0.25, lambda: live.update(Text(progress.line()), refresh=True)):
                yield
    else:
        async with _every(every_s, lambda: print(progress.line(), file=stream, flush=True)):
            yield


@asynccontextmanager
async def _every(seconds: float, show: Callable[[], None]) -> AsyncIterator[None]:
    async def tick() -> None:
        while True:
            show()
            await asyncio.sleep(seconds)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
