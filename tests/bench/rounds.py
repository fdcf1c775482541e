"""One round of one system: start it, warm it up, look at its answers, measure, stop it."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.bench.load import Seen, Target, WrongAnswer, request_id, send
from tests.bench.model_server import CHUNKS
from tests.bench.process import (
    CPUS,
    MEASURED_CPU,
    OTHER_CPUS,
    clock,
    cpu_us,
    free_port,
    pin,
    rss_mb,
    running,
    wait_until_ready,
)
from tests.bench.systems import Place, System, ledger_row

AT_ONCE = 8
MANY_AT_ONCE = 32
"""Streams of a worker that has something to do: with 8 it sleeps between most chunks, and waking up is not free."""
_SETTLE_S = 1.0
"""After the last answer, for what is done behind the requests: ledger, spans, logs. It counts."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much is asked of a system in a round; ``turns`` times ``alone`` requests go one at a time."""

    rounds: int
    warm_up: int
    requests: int
    streams: int
    turns: int
    alone: int

    def of(self, share: float) -> "Amounts":
        return Amounts(
            rounds=self.rounds,
            warm_up=int(self.warm_up * share),
            requests=int(self.requests * share),
            streams=int(self.streams * max(share, 0.5)),
            turns=self.turns,
            alone=int(self.alone * max(share, 0.25)),
        )


FULL = Amounts(rounds=5, warm_up=400, requests=2000, streams=192, turns=6, alone=80)
QUICK = Amounts(rounds=1, warm_up=100, requests=300, streams=32, turns=3, alone=30)


@dataclass(frozen=True, slots=True)
class Road:
    """What a client and a collector see of a system."""

    ready_s: float
    added_p50_ms: float
    added_p99_ms: float
    pieces: float
    """In how many parts a stream arrived, 32 at once."""
    spans: float
    """Spans that the collector got, by request."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A row's figures in one round; CPU in microseconds. Only a system's first row has a ``road``."""

    request_us: float
    """A request, 8 at once."""
    alone_us: float
    """A request, 1 at once."""
    stream_us: float
    """A stream, 8 at once."""
    busy_stream_us: float
    """A stream, 32 at once."""
    rss_mb: float
    road: Road | None

    @property
    def busy_chunk_us(self) -> float:
        """The whole stream's CPU by its chunks: the request's share is in it."""
        return self.busy_stream_us / CHUNKS


Rows = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class _Phase:
    """``cpu_us`` by row and request."""

    cpu_us: dict[str, float]
    seen: Seen

    @property
    def count(self) -> int:
        return len(self.seen.latencies_s)


async def measure(system: System, upstream_port: int, amounts: Amounts) -> dict[str, Figures]:
    """The figures by row. Raises ``NotReady``, ``WrongAnswer``, ``httpx.HTTPError``."""
    amounts = amounts.of(system.share)
    direct = Target("the model server", upstream_port, "m")
    _spans_since(upstream_port)
    with _started(system, upstream_port) as (place, pid, ready_s):
        target = Target(system.name, place.port, system.model, system.headers, system.expected)
        await _until_right(target)
        rows = system.groups(pid)
        _spread(rows)
        warm = await _warm_up(target, direct, amounts.warm_up)
        whole = await _phase(rows, send(target, amounts.requests, AT_ONCE))
        streamed = await _phase(rows, send(target, amounts.streams, AT_ONCE, stream=True))
        busy = await _phase(rows, send(target, amounts.streams, MANY_AT_ONCE, stream=True))
        pin([os.getpid(), *(pid for pids in rows.values() for pid in pids)], CPUS)
        past = Seen()
        alone = await _phase(rows, _by_turns(target, direct, past, amounts))
        memory = {row: rss_mb(pids) for row, pids in rows.items()}
        if system.observed:
            _check_ledger(place, request_id(alone.seen))
    p50_ms, p99_ms = ((_percentile(alone.seen, p) - _percentile(past, p)) * 1000 for p in (50, 99))
    spans = _spans_since(upstream_port) / (warm + whole.count + streamed.count + busy.count + alone.count)
    road = Road(ready_s, p50_ms, p99_ms, busy.seen.pieces / busy.count, spans)
    first = next(iter(rows))
    return {
        row: Figures(
            request_us=whole.cpu_us[row],
            alone_us=alone.cpu_us[row],
            stream_us=streamed.cpu_us[row],
            busy_stream_us=busy.cpu_us[row],
            rss_mb=memory[row],
            road=road if row == first else None,
        )
        for row in rows
    }


@contextmanager
def _started(system: System, upstream_port: int) -> Iterator[tuple[Place, int, float]]:
    without = ("WEIGHBRIDGE_", "OTEL_", "LITELLM_", "PYTHONDONTWRITEBYTECODE")  # bytecode is there where systems serve
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(without)}
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-") as name:
        place = Place(Path(name), free_port(), f"http://127.0.0.1:{upstream_port}")
        command = system.command(place)
        began = time.perf_counter()
        with running(command, place.folder, {**inherited, **system.env}) as process:
            wait_until_ready(process, place.port, system.ready_path, place.folder)
            ready_s = time.perf_counter() - began
            system.prepare(place)
            yield place, process.pid, ready_s


async def _until_right(target: Target) -> None:
    """Ready may come before right: scorecards arrive, a router finds its servers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            await send(target, 1, 1)
            return
        except WrongAnswer:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


def _spread(rows: Rows) -> None:
    """The first row alone on a CPU; the model server began on the others, and we were let go for the last latencies."""
    pin([os.getpid()], OTHER_CPUS)
    for number, pids in enumerate(rows.values()):
        pin(pids, OTHER_CPUS if number else MEASURED_CPU)


async def _warm_up(target: Target, direct: Target, count: int) -> int:
    """How many requests it took, with the one that was right first."""
    await send(target, count, AT_ONCE)
    await send(target, AT_ONCE, AT_ONCE, stream=True)
    await send(direct, count, AT_ONCE)
    return 1 + count + AT_ONCE


async def _phase(rows: Rows, load: Awaitable[Seen]) -> _Phase:
    before = {row: clock(pids) for row, pids in rows.items()}
    seen = await load
    await asyncio.sleep(_SETTLE_S)
    count = len(seen.latencies_s)
    return _Phase({row: cpu_us(before[row], clock(pids)) / count for row, pids in rows.items()}, seen)


async def _by_turns(target: Target, direct: Target, past: Seen, amounts: Amounts) -> Seen:
    """One request at a time, by turns past the system and through it; ``past`` is filled, the other is given back."""
    through = Seen()
    for _ in range(amounts.turns):
        past.add(await send(direct, amounts.alone, 1))
        through.add(await send(target, amounts.alone, 1))
    return through


def _percentile(seen: Seen, percent: int) -> float:
    return statistics.quantiles(seen.latencies_s, n=100, method="inclusive")[percent - 1]


def _check_ledger(place: Place, request: str) -> None:
    deadline = time.monotonic() + 10
    while (row := ledger_row(place, request)) is None:
        if time.monotonic() > deadline:
            raise WrongAnswer(f"request {request} is not in the ledger")
        time.sleep(0.1)
    if row["outcome"] != "ok":
        raise WrongAnswer(f"the ledger says {row}")


def _spans_since(upstream_port: int) -> int:
    """Spans that came since this was asked last."""
    return int(httpx.get(f"http://127.0.0.1:{upstream_port}/spans", trust_env=False, timeout=60).text)
