"""A gateway under constant mixed load: how its processes' memory goes on after the warm-up."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import combinations, cycle
from pathlib import Path

from tests.bench.load import Target, send
from tests.bench.process import ends_with_us, rss_mb
from tests.bench.questions import PATHS, STREAMING, Kind
from tests.chaos.services import Gateway

API_KEY = "sk-soak"
_MIX = [Kind(wire) for wire in PATHS] + [Kind(wire, stream=True) for wire in STREAMING]
_BATCH, _AT_ONCE = 12, 4
_SAMPLE_S = 0.5
_MOST_SAMPLES = 400
"""That a slope is made of: all pairs of them are looked at."""


@dataclass(frozen=True, slots=True)
class Growth:
    """MB are 10^6 bytes. ``slope`` is MB a minute: the median of the slopes between all pairs of samples (Theil 1950,
    Sen 1968), which single jumps do not move.
    """

    before_mb: float
    after_mb: float
    slope: float


@dataclass(slots=True)
class _Watched:
    """Samples of one process: seconds, MB."""

    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Steadiness:
    """``growth`` by process: ``worker`` and ``parent``."""

    requests: int
    seconds: float
    growth: Mapping[str, Growth]


async def steadiness(folder: Path, warm_up_s: float, seconds: float, rate: float) -> Steadiness:
    """``rate`` is requests a second, of all wires, whole and streamed. Raises ``WrongAnswer``."""
    with _model_server() as port:
        config = {"routes": {"small": {"backend": "vllm", "model": "m", "replicas": [f"http://127.0.0.1:{port}"]}}}
        gateway = Gateway("soak", folder / "soak", config, {"WEIGHBRIDGE_API_KEY": API_KEY}, workers=1)
        try:
            await gateway.start()
            assert gateway.process is not None
            target = Target("weighbridge", gateway.port, "small", (f"authorization: Bearer {API_KEY}",))
            await _load(target, warm_up_s, rate, ())
            watched = {"worker": _Watched(gateway.workers()[0]), "parent": _Watched(gateway.process.pid)}
            requests = await _load(target, seconds, rate, tuple(watched.values()))
        finally:
            gateway.kill()
    return Steadiness(requests, seconds, {name: _growth(one.samples) for name, one in watched.items()})


async def _load(target: Target, seconds: float, rate: float, watched: tuple[_Watched, ...]) -> int:
    """How many requests it came to."""
    began = sampled = time.monotonic()
    for number, kind in enumerate(cycle(_MIX)):
        now = time.monotonic()
        if now - began >= seconds:
            return number * _BATCH
        if now - sampled >= _SAMPLE_S:
            sampled = now
            for one in watched:
                one.samples.append((now, rss_mb([one.pid])))
        await send(target, _BATCH, _AT_ONCE, kind)
        await asyncio.sleep(began + (number + 1) * _BATCH / rate - time.monotonic())
    raise AssertionError("a cycle has no end")


def _growth(samples: Sequence[tuple[float, float]]) -> Growth:
    return Growth(samples[0][1], samples[-1][1], slope(samples) * 60)


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """The median slope of all pairs; of ``_MOST_SAMPLES`` samples where there are more."""
    chosen = samples[:: max(1, len(samples) // _MOST_SAMPLES)]
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(chosen, 2))


@contextmanager
def _model_server() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.bench.model_server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=ends_with_us()) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()
