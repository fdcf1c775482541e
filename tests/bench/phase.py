"""One kind of load on one system: what it cost, and how much later answers come than without the system."""

import asyncio
import statistics
from collections.abc import Awaitable
from dataclasses import dataclass

from tests.bench.load import CHAT, Seen, Target, send
from tests.bench.process import clock, cpu_us
from tests.bench.questions import Kind

AT_ONCE = 8
MANY_AT_ONCE = 32
"""Streams of a worker that has something to do: with 8 it sleeps between most chunks, and waking up is not free."""

Rows = dict[str, list[int]]
"""Processes by row of the table."""


@dataclass(frozen=True, slots=True)
class Phase:
    """``cpu_us`` by row and request."""

    cpu_us: dict[str, float]
    seen: Seen

    @property
    def count(self) -> int:
        return len(self.seen.latencies_s)


async def phase(rows: Rows, load: Awaitable[Seen], settle_s: float) -> Phase:
    """What is done behind the requests within ``settle_s`` of the last answer counts: ledger, spans, logs."""
    before = {row: clock(pids) for row, pids in rows.items()}
    seen = await load
    await asyncio.sleep(settle_s)
    count = len(seen.latencies_s)
    return Phase({row: cpu_us(before[row], clock(pids)) / count for row, pids in rows.items()}, seen)


async def by_turns(target: Target, direct: Target, past: Seen, turns: int, each: int, kind: Kind = CHAT) -> Seen:
    """``turns`` times ``each`` requests one at a time, by turns past the system and through it.

    ``past`` is filled, the other is given back.
    """
    through = Seen()
    for _ in range(turns):
        past.add(await send(direct, each, 1, kind))
        through.add(await send(target, each, 1, kind))
    return through


def added_ms(through: Seen, past: Seen, percent: int) -> float:
    """The difference of the percentiles."""
    return (_percentile(through, percent) - _percentile(past, percent)) * 1000


def _percentile(seen: Seen, percent: int) -> float:
    return statistics.quantiles(seen.latencies_s, n=100, method="inclusive")[percent - 1]
