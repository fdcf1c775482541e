"""One round of one system: start it, warm it up, look at its answers, measure, stop it."""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.bench.answers import CHUNKS
from tests.bench.load import CHAT_STREAM, Seen, Target, WrongAnswer, request_id, send
from tests.bench.phase import AT_ONCE, MANY_AT_ONCE, Rows, added_ms, by_turns, phase
from tests.bench.process import (
    CPUS,
    MEASURED_CPU,
    OTHER_CPUS,
    free_port,
    pin,
    rss_mb,
    running,
    wait_until_ready,
)
from tests.bench.questions import Kind
from tests.bench.systems import Place, System, ledger_row
from tests.bench.wires import WireLoad, added_by_kind, cpu_by_kind


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much is asked of a system in a round; ``turns`` times ``alone`` requests go one at a time."""

    rounds: int
    warm_up: int
    requests: int
    streams: int
    turns: int
    alone: int
    settle_s: float
    """Seconds after the last answer, for what is done behind the requests: ledger, spans, logs. It counts."""
    wires: WireLoad | None
    """Of a system that is measured on every wire."""

    def of(self, share: float) -> "Amounts":
        return Amounts(
            rounds=self.rounds,
            warm_up=int(self.warm_up * share),
            requests=int(self.requests * share),
            streams=int(self.streams * max(share, 0.5)),
            turns=self.turns,
            alone=int(self.alone * max(share, 0.25)),
            settle_s=self.settle_s,
            wires=self.wires,
        )


FULL = Amounts(
    rounds=5,
    warm_up=400,
    requests=2000,
    streams=192,
    turns=6,
    alone=80,
    settle_s=1.0,
    wires=WireLoad(requests=500, streams=96, turns=4, alone=60, settle_s=0.7),
)
QUICK = Amounts(
    rounds=1,
    warm_up=100,
    requests=300,
    streams=32,
    turns=3,
    alone=30,
    settle_s=0.5,
    wires=WireLoad(requests=64, streams=32, turns=2, alone=20, settle_s=0.2),
)


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
    wires_us: Mapping[Kind, float] = field(default_factory=dict)
    """CPU of requests on other wires than chat, and of those with a long history."""
    wires_p50_ms: Mapping[Kind, float] = field(default_factory=dict)


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


async def measure(system: System, upstream_port: int, amounts: Amounts) -> dict[str, Figures]:
    """The figures by row. Raises ``NotReady``, ``WrongAnswer``, ``httpx.HTTPError``."""
    amounts = amounts.of(system.share)
    wires = amounts.wires if system.every_wire else None
    direct = Target("the model server", upstream_port, "m")
    _spans_since(upstream_port)
    with _started(system, upstream_port) as (place, pid, ready_s):
        target = Target(system.name, place.port, system.model, system.headers, system.expected)
        await _until_right(target)
        rows = system.groups(pid)
        _spread(rows)
        first = next(iter(rows))
        warm = await _warm_up(target, direct, amounts.warm_up)
        whole = await phase(rows, send(target, amounts.requests, AT_ONCE), amounts.settle_s)
        streamed = await phase(rows, send(target, amounts.streams, AT_ONCE, CHAT_STREAM), amounts.settle_s)
        busy = await phase(rows, send(target, amounts.streams, MANY_AT_ONCE, CHAT_STREAM), amounts.settle_s)
        wires_us = await cpu_by_kind(rows, first, target, wires) if wires else {}
        pin([os.getpid(), *(pid for pids in rows.values() for pid in pids)], CPUS)
        past = Seen()
        through = by_turns(target, direct, past, amounts.turns, amounts.alone)
        alone = await phase(rows, through, amounts.settle_s)
        wires_p50_ms = await added_by_kind(target, direct, wires) if wires else {}
        memory = {row: rss_mb(pids) for row, pids in rows.items()}
        if system.observed:
            _check_ledger(place, request_id(alone.seen))
    asked = warm + whole.count + streamed.count + busy.count + alone.count + (wires.asked if wires else 0)
    road = Road(
        ready_s=ready_s,
        added_p50_ms=added_ms(alone.seen, past, 50),
        added_p99_ms=added_ms(alone.seen, past, 99),
        pieces=busy.seen.pieces / busy.count,
        spans=_spans_since(upstream_port) / asked,
        wires_us=wires_us,
        wires_p50_ms=wires_p50_ms,
    )
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
    await send(target, AT_ONCE, AT_ONCE, CHAT_STREAM)
    await send(direct, count, AT_ONCE)
    return 1 + count + AT_ONCE


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
