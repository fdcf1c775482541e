import json
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.scorecard import Scorecard
from policies.snapshot import InvalidScorecard, Snapshot, decode_scorecard, encode_scorecard

MakeCard = Callable[..., Scorecard]


def test_json_form_comes_back_equal(make_card: MakeCard) -> None:
    card = make_card(statuses={"pass": 160, "fail": 4}, manifest={"sampling": {"temperature": 0.2}, "hosts": ["a"]})
    snapshot = Snapshot(7, (card, make_card("b", pass_at_1=None, tasks=0)))
    assert Snapshot.decode(snapshot.encode()) == snapshot
    assert decode_scorecard(encode_scorecard(card)) == card


def test_posted_scorecards_need_no_version_but_must_be_there(make_card: MakeCard) -> None:
    assert Snapshot.decode(json.dumps({"scorecards": [asdict(make_card())]})) == Snapshot(0, (make_card(),))
    wrong: tuple[dict[str, object], ...] = ({}, asdict(make_card()), {"scorecards": {}})
    for posted in wrong:
        with pytest.raises(InvalidScorecard):
            Snapshot.decode(json.dumps(posted))


def test_the_newest_whole_scorecard_counts(make_card: MakeCard) -> None:
    old = make_card(run_id="old", measured_at="2026-01-01T00:00:00Z")
    new = make_card(run_id="new", measured_at="2026-01-01T00:00:00.5+00:00")
    partial = make_card(run_id="partial", measured_at="2026-03-01T00:00:00Z", partial=True)
    for cards in ((old, new, partial), (partial, new, old)):
        assert Snapshot(1, cards).scorecard("a", "r1", "humaneval+", None) == new
    assert Snapshot(1, (partial,)).scorecard("a", "r1", "humaneval+", "python") == partial


def test_each_suite_and_language_once_newest_first(make_card: MakeCard) -> None:
    first = make_card(measured_at="2026-01-01T00:00:00Z")
    again = make_card(measured_at="2026-01-02T00:00:00Z")
    rust = make_card(language="rust", measured_at="2026-01-03T00:00:00Z")
    snapshot = Snapshot(1, (first, rust, again, make_card("b"), make_card(revision="r2")))
    assert snapshot.of_revision("a", "r1") == (rust, again)
    assert snapshot.scorecard("a", "r1", "humaneval+", None) is None
    assert snapshot.scorecard("a", "r1", "humaneval+", "rust") == rust
    assert snapshot.of_revision("nobody", "r1") == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"asked": 165}, "scored + no_answer + unscorable is 164, and asked is 165"),
        ({"pass_at_1": 1.5}, "between 0 and 1"),
        ({"pass_at_1": None}, "pass_at_1 is null when and only when"),
        ({"no_answer": -1, "asked": 163}, "not negative"),
        ({"statuses": {"pass": 3}}, "statuses sum to 3"),
        ({"measured_at": "yesterday"}, "measured_at is ISO 8601 in UTC"),
        ({"measured_at": "2026-01-01T00:00:00+02:00"}, "measured_at is ISO 8601 in UTC"),
        ({"measured_at": "2026-01-01T00:00:00"}, "measured_at is ISO 8601 in UTC"),
        ({"route": ""}, "not empty"),
        ({"suite": "a\x1b[2J"}, "printable"),
        ({"ttft_p99_ms": -1.0}, "times are not negative"),
        ({"scored": 500, "asked": 500}, "500 scored samples do not fit 164 tasks"),
        ({"units": [{"x": 2.0, "tasks": 1, "count": 164}]}, "an x between 0 and that number"),
        ({"units": [{"x": 0.9, "tasks": 1, "count": 163}]}, "units have 163 tasks, and the scorecard 164"),
        ({"units": [{"x": 0.8, "tasks": 1, "count": 164}]}, "the mean over units is not pass_at_1"),
        ({"origin": "imagined"}, "origin"),
        ({"tasks": "many"}, "tasks"),
        ({"pas_at_1": 0.5}, "unknown field 'pas_at_1'; did you mean 'pass_at_1'?"),
    ],
)
def test_an_invalid_scorecard_is_refused_with_its_reason(
    make_card: MakeCard, change: dict[str, Any], said: str
) -> None:
    data = {**asdict(make_card()), **change}
    with pytest.raises(InvalidScorecard, match=None) as caught:
        decode_scorecard(json.dumps(data))
    assert said in str(caught.value)


def test_missing_fields_are_named(make_card: MakeCard) -> None:
    data = asdict(make_card())
    del data["suite_hash"]
    with pytest.raises(InvalidScorecard, match="suite_hash"):
        decode_scorecard(json.dumps(data))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_wild_json_is_refused_and_never_crashes(data: object) -> None:
    with pytest.raises(InvalidScorecard):
        decode_scorecard(json.dumps(data))
    with pytest.raises(InvalidScorecard):
        Snapshot.decode(json.dumps(data))


@given(st.binary(max_size=50))
def test_wild_bytes_are_refused_and_never_crash(data: bytes) -> None:
    with pytest.raises(InvalidScorecard):
        decode_scorecard(data)


def test_equal_snapshots_are_equal_whatever_their_index(make_card: MakeCard) -> None:
    assert Snapshot(1, (make_card(),)) == Snapshot(1, (make_card(),))
    assert Snapshot(1, (make_card(),)) != Snapshot(2, (make_card(),))
    assert replace(Snapshot(1, (make_card(),)), version=2) == Snapshot(2, (make_card(),))
