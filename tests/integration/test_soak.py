"""`make soak`, the small size: memory under a constant load, and what idle streams cost."""

from pathlib import Path

import pytest

from tests.soak.__main__ import MOST_KIB_A_STREAM, MOST_SLOPE_SHORT, summary, trouble
from tests.soak.steadiness import Growth, Steadiness, slope, steadiness
from tests.soak.streams import Streams, enough_descriptors, idle_streams

WARM_UP_S, LOAD_S, RATE, STREAMS = 10.0, 40.0, 120.0, 4000


@pytest.mark.timeout(900)
async def test_soak_memory_does_not_grow_and_an_idle_stream_costs_little(tmp_path: Path) -> None:
    if not enough_descriptors(STREAMS):
        pytest.skip(f"{STREAMS} streams need more file descriptors than this system allows")
    steady = await steadiness(tmp_path, WARM_UP_S, LOAD_S, RATE)
    idle = await idle_streams(tmp_path, STREAMS)
    assert not trouble(steady, idle), summary(steady, idle)


def test_a_slope_is_that_of_most_pairs() -> None:
    jump = [(float(second), 60.0 + (10.0 if second == 5 else 0.0)) for second in range(60)]
    assert slope(jump) == 0
    assert slope([(float(second), 60.0 + 0.5 * second) for second in range(2000)]) == pytest.approx(0.5)


def test_what_grows_or_costs_too_much_is_told() -> None:
    idle = Streams(4000, 30.0, 8100, 1.0)
    steady = Steadiness(10, 60.0, {"worker": Growth(60.0, 60.0, 0.0)})
    assert trouble(steady, idle) == []
    leaking = Steadiness(10, 60.0, {"worker": Growth(60.0, 70.0, MOST_SLOPE_SHORT["worker"] + 1)})
    assert "worker" in trouble(leaking, idle)[0]
    assert "KiB" in trouble(steady, Streams(4000, MOST_KIB_A_STREAM + 1, 8100, 1.0))[0]
