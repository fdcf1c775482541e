from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.live.sketch import ERROR, LONGEST_MS, MOST_BUCKETS, SHORTEST_MS, Sketch

times = st.floats(SHORTEST_MS, LONGEST_MS)


def of(values: list[float]) -> Sketch:
    sketch = Sketch()
    for value in values:
        sketch.add(value)
    return sketch


@given(st.lists(times, min_size=1), st.floats(0.001, 1))
def test_a_quantile_is_off_by_at_most_the_stated_share(values: list[float], share: float) -> None:
    exact = sorted(values)[ceil(share * len(values)) - 1]
    assert of(values).quantile(share) == pytest.approx(exact, rel=ERROR * 1.000001)


@given(st.lists(times), st.lists(times))
def test_merged_sketches_are_the_sketch_of_all_together(one: list[float], other: list[float]) -> None:
    merged = of(one)
    merged.merge(of(other))
    assert merged == of(one + other) == of(other + one)
    assert merged.count == len(one) + len(other)


@given(st.lists(st.floats(allow_nan=False), max_size=300))
def test_whatever_it_is_told_the_memory_is_bounded(values: list[float]) -> None:
    sketch = of(values)
    assert len(sketch) <= min(MOST_BUCKETS, len(values) or 1)
    assert sketch.count == len(values)
    if values:
        assert SHORTEST_MS * (1 - ERROR) <= (sketch.quantile(1) or 0) <= LONGEST_MS * (1 + ERROR)


def test_of_nothing_there_is_no_quantile_and_few_buckets_hold_three_hours() -> None:
    assert Sketch().quantile(0.5) is None
    assert MOST_BUCKETS < 600
