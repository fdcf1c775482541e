"""Online scorecards: what verdicts add up to, and what is left out of them."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feedback import VERDICTS, Feedback, Tally, Verdict, online_scorecards
from gateway.ledger.events import Opened, Settled
from gateway.store.store import Store
from policies.bounds import wilson

TALLIES = st.lists(
    st.builds(
        Tally,
        route=st.sampled_from("ab"),
        revision=st.sampled_from(("r1", "r2")),
        language=st.sampled_from((None, "go", "rust")),
        verdict=st.sampled_from(VERDICTS),
        again=st.booleans(),
        count=st.integers(1, 50),
        last_at=st.floats(0, 1e9),
    ),
    max_size=30,
)


@given(TALLIES)
def test_nothing_is_lost_counted_twice_or_mixed(tallies: list[Tally]) -> None:
    cards = online_scorecards(tallies)
    assert len({(card.route, card.revision, card.language) for card in cards}) == len(cards)
    for card in cards:
        of_it = [t for t in tallies if (t.route, t.revision) == (card.route, card.revision)]
        of_it = [t for t in of_it if card.language in ("all", t.language)]
        assert card.judged == sum(t.count for t in of_it if not t.again) == card.accepted + card.edited + card.rejected
        assert card.again == sum(t.count for t in of_it if t.again)
        assert card.accepted == sum(t.count for t in of_it if t.verdict == "accepted" and not t.again)
        assert card.last_at == max(t.last_at for t in of_it)
        assert (card.acceptance_rate is None) == (card.judged == 0)
        assert 0 <= card.lower <= (card.acceptance_rate or 0.0) <= card.upper <= 1
        assert card.origin == "online"
    whole = [card for card in cards if card.language == "all"]
    assert sum(card.judged + card.again for card in whole) == sum(t.count for t in tallies)


def test_the_interval_is_wilsons() -> None:
    def tally(verdict: Verdict, count: int) -> Tally:
        return Tally("a", "r", None, verdict, again=False, count=count, last_at=1.0)

    (card,) = online_scorecards([tally("accepted", 8), tally("edited", 1), tally("rejected", 1)])
    assert (card.acceptance_rate, card.judged) == (0.8, 10)
    assert (card.lower, card.upper) == wilson(0.8, 10, 0.95)
    assert (round(card.lower, 3), round(card.upper, 3)) == (0.490, 0.943)


def test_the_revision_that_was_judged_last_comes_first() -> None:
    tallies = [
        Tally(route, revision, "go", "accepted", again=False, count=1, last_at=at)
        for route, revision, at in (("b", "r", 9.0), ("a", "old", 1.0), ("a", "new", 2.0))
    ]
    order = [(card.route, card.revision, card.language) for card in online_scorecards(tallies)]
    expected = [("a", "new"), ("a", "old"), ("b", "r")]
    assert order == [(*place, language) for place in expected for language in ("all", "go")]


def settled(request_id: str, **changes: Any) -> Settled:
    fields: dict[str, Any] = {
        "id": request_id, "at": 2.0, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat",
        "route": "small", "revision": "r", "outcome": "ok", "status": 200, "cache": "miss", "streamed": False,
        "input_tokens": 1, "output_tokens": 2, "cached_input_tokens": 0, "usage_source": "provider",
        "cost_nanousd": 3, "ttft_ms": 1.0, "total_ms": 2.0, "attempts": [], "language": "go",
    }  # fmt: skip
    return Settled(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({}, (1, 0)),
        ({"cache": "bypass"}, (1, 0)),
        ({"outcome": "client_left"}, (1, 0)),
        ({"outcome": "broken_stream"}, (1, 0)),
        ({"cache": "hit", "ttft_ms": None}, (0, 1)),
        ({"cache": "shared", "ttft_ms": None}, (0, 1)),
        ({"outcome": "upstream_error", "ttft_ms": None}, None),
        ({"outcome": "client_left", "ttft_ms": None}, None),
        ({"route": ""}, None),
    ],
)
async def test_only_answers_are_judged_and_only_new_ones_count(
    tmp_path: Path, changes: dict[str, Any], counted: tuple[int, int] | None
) -> None:
    store = await Store.open(tmp_path / "db")
    await store.record("one", [settled("a", **changes)])
    await store.add_feedback(Feedback("a", "accepted"), 5.0)
    cards = [card for card in online_scorecards(await store.feedback_tallies()) if card.language == "go"]
    assert [(card.accepted, card.again) for card in cards] == ([] if counted is None else [counted])
    await store.close()


async def test_the_last_verdict_and_the_judges_own_language_count(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "db")
    await store.record(
        "one", [settled("a"), settled("b", language=None), Opened("c", 1.0, "t", "auto", "auto", "chat")]
    )
    await store.add_feedback(Feedback("a", "accepted", "rust"), 5.0)
    await store.add_feedback(Feedback("a", "edited", "rust"), 6.0)
    await store.add_feedback(Feedback("b", "rejected"), 7.0)
    await store.add_feedback(Feedback("c", "accepted"), 8.0)  # its answer is still on its way
    cards = online_scorecards(await store.feedback_tallies())
    assert [(card.language, card.edited, card.rejected, card.last_at) for card in cards] == [
        ("all", 1, 1, 7.0),
        ("rust", 1, 0, 6.0),
    ]
    await store.record("one", [settled("c")])
    assert [card.judged for card in online_scorecards(await store.feedback_tallies())] == [3, 1, 1]
    await store.close()
