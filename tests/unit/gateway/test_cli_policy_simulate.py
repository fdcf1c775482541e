"""`policy simulate` on a store as a gateway leaves it."""

import asyncio
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from backends.route import Revision
from gateway.cli import policy
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.ledger.events import AttemptDetail, Settled
from gateway.store import roll_up
from gateway.store.history import History, UnreadableStore
from gateway.store.store import Store
from policies.scorecard import Scorecard
from tests.fixtures.postgres import NewDatabase

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
OBSERVED = Revision(None, {"version": "1"}).id
CONFIG = """
routes:
  cheap: {backend: vllm, model: m, replicas: [http://127.0.0.1:9], price: {input: 1, output: 2}}
  dear: {backend: vllm, model: m, replicas: [http://127.0.0.1:9], price: {input: 10, output: 20}}
policies:
  cheapest: {objective: cheapest}
  careful:
    objective: cheapest
    require: {pass_at_1: {suite: s+, language: of_request, at_least: 0.8}}
"""


def settled(number: int, **changes: Any) -> Settled:
    fields: dict[str, Any] = {
        "id": f"r{number}", "at": NOON + number, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat",
        "route": "dear", "revision": OBSERVED, "outcome": "ok", "status": 200, "cache": "miss", "streamed": False,
        "input_tokens": 1000, "output_tokens": 500, "cached_input_tokens": 0, "usage_source": "provider",
        "cost_nanousd": 20_000_000, "ttft_ms": 1.0, "total_ms": 2.0,
        "attempts": [AttemptDetail("dear", "http://x", OBSERVED, "ok", 1.0)],
    }  # fmt: skip
    return Settled(**{**fields, **changes})


def card(route: str, language: str, mean: float) -> Scorecard:
    at = "2026-11-19T00:00:00+00:00"
    return Scorecard("r", route, OBSERVED, "s+", "c0", language, at, 164, 1, 164, 164, 0, 0, mean)


@pytest.fixture
def simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("WEIGHBRIDGE_STATE_DIR", str(tmp_path / "state"))
    config = tmp_path / "weighbridge.yaml"
    config.write_text(CONFIG)

    def run(*words: str, events: list[Settled] | None = None, cards: list[Scorecard] | None = None) -> Result:
        if events is not None:
            asyncio.run(_fill(tmp_path / "state" / "weighbridge.sqlite3", events, cards or []))
        return CliRunner().invoke(policy.command, ["simulate", "--config", str(config), "--from", "2026-11-20", *words])

    return run


async def _fill(where: Path | str, events: list[Settled], cards: list[Scorecard]) -> None:
    store = await Store.open(where)
    await store.record("spool", events)
    await store.add_scorecards(cards)
    await store.close()


def test_what_was_asked_is_decided_anew_and_the_rest_is_counted(simulated: Callable[..., Result]) -> None:
    events = [
        settled(1),
        settled(2, language="rust"),
        settled(3, policy="pinned"),
        settled(4, wire="embeddings"),
        settled(5, cache="hit", input_tokens=0, output_tokens=0, cost_nanousd=0),
        settled(6, outcome="broken_stream"),
        settled(7, usage_source="unknown"),
        settled(8, at=NOON - 86_400),
        settled(9, at=NOON + 86_400 * 9),
    ]
    result = simulated("--to", "2026-11-21", "--policy", "cheapest", "--json", events=events)
    assert result.exception is None, result.exception
    found = json.loads(result.output)
    assert (found["requests"], found["decided_anew"], found["moved"], found["with_language"]) == (7, 2, 2, 1)
    assert found["share_decided_anew"] == pytest.approx(2 / 7)
    assert sum(found["left_out"].values()) == 5 and all(count == 1 for count in found["left_out"].values())
    assert found["before"]["cost_nanousd"] == 40_000_000
    assert found["after"]["cost_nanousd"] == 2 * (1000 * 1_000 + 500 * 2_000)
    assert found["after"]["routes"] == {"cheap": {"requests": 2, "cost_nanousd": 4_000_000}}
    assert found["suite"] is None and found["after"]["solved"] is None
    assert any("not recorded" in note for note in found["notes"])


def test_requests_that_only_daily_sums_are_left_of_are_counted_and_said(simulated: Callable[..., Result]) -> None:
    events = [settled(1), settled(2, at=NOON + 1000), settled(3, at=NOON + 2000, policy="pinned")]
    simulated(events=events)
    store = Path(os.environ["WEIGHBRIDGE_STATE_DIR"]) / "weighbridge.sqlite3"
    assert asyncio.run(_rolled_up(store, before=NOON + 500)) == 1
    found = json.loads(simulated("--to", "2026-11-21", "--policy", "cheapest", "--json").output)
    assert (found["requests"], found["decided_anew"], sum(found["left_out"].values())) == (3, 1, 2)
    assert any("keep_days" in reason for reason in found["left_out"])
    of_pinned = ("--to", "2026-11-21", "--policy", "cheapest", "--decided-by", "pinned", "--json")
    assert json.loads(simulated(*of_pinned).output)["requests"] == 1


async def _rolled_up(path: Path, before: float) -> int:
    store = await Store.open(path)
    moved = await store.write(partial(roll_up.roll_up, before=before))
    await store.close()
    return moved


def test_what_is_solved_is_told_beside_what_it_costs(simulated: Callable[..., Result]) -> None:
    cards = [card("cheap", "python", 0.9), card("cheap", "rust", 0.5), card("cheap", "all", 0.7)]
    cards += [card("dear", "python", 0.95), card("dear", "rust", 0.95), card("dear", "all", 0.95)]
    events = [settled(1, language="python"), settled(2, language="rust"), settled(3, language="cobol"), settled(4)]
    result = simulated("--policy", "careful", "--json", events=events, cards=cards)
    found = json.loads(result.output)
    assert (found["decided_anew"], found["refused"], found["suite"]) == (3, 1, "s+")  # nobody was measured in COBOL
    assert {route: side["requests"] for route, side in found["after"]["routes"].items()} == {"cheap": 1, "dear": 2}
    before, after = found["before"]["solved"], found["after"]["solved"]
    assert (before["share"], after["share"]) == (pytest.approx(0.95), pytest.approx((0.9 + 0.95 + 0.95) / 3))
    assert (after["requests"], after["by_language"]) == (3, 2)
    text = " ".join(simulated("--policy", "careful").output.split())
    assert "decided anew 3 of 4 requests (75.0%); 1 go to another route" in text
    assert "refused 1 for which the policy has no route" in text
    assert "solved by the policy: 0.933" in text and "2 by their own language by pass@1 on s+" in text
    assert "cost $0.0600 then, $0.0420 by the policy (-30.0%)" in text
    assert "note: not recorded, and so not weighed" in text


def test_only_what_one_policy_decided(simulated: Callable[..., Result]) -> None:
    events = [settled(1), settled(2, policy="other")]
    result = simulated("--policy", "cheapest", "--decided-by", "other", "--json", events=events)
    assert json.loads(result.output)["requests"] == 1
    empty = simulated("--policy", "cheapest", "--decided-by", "nobody")
    assert "decided anew 0 of 0 requests (0.0%)" in " ".join(empty.output.split())


@pytest.mark.parametrize(
    ("words", "kind", "told"),
    [
        ((), ConfigFailure, "has several policies: name one with --policy (cheapest, careful)"),
        (("--policy", "cheap"), ConfigFailure, "did you mean 'cheapest'?"),
        (("--policy", "cheapest", "--to", "2026-11-19"), ConfigFailure, "is not before --to"),
        (("--policy", "cheapest", "--to", "soon"), ConfigFailure, "'soon' is no time: write 2026-11-16"),
        (("--policy", "cheapest"), MissingFailure, "cannot be read"),
    ],
)
def test_what_cannot_be_simulated_says_why(
    simulated: Callable[..., Result], words: tuple[str, ...], kind: type[Failure], told: str
) -> None:
    error = simulated(*words).exception
    assert isinstance(error, kind) and told in str(error), error


def test_reading_changes_nothing_and_takes_no_older_store_for_this_ones(tmp_path: Path) -> None:
    path = tmp_path / "weighbridge.sqlite3"
    asyncio.run(_fill(path, [settled(1), settled(2, policy="shadow:cheapest")], []))
    before = path.read_bytes()
    with History.open(path) as history:  # what was mirrored was no client's
        assert [row["id"] for row in history.settled(0, NOON + 2)] == ["r1"]
        assert not list(history.settled(NOON + 2, NOON + 3))
    assert path.read_bytes() == before
    empty = tmp_path / "older.sqlite3"
    empty.touch()
    with pytest.raises(UnreadableStore, match="no such table"), History.open(empty) as history:
        history.evidence()


def test_a_store_in_postgres_is_read_like_a_file(new_database: NewDatabase) -> None:
    url = new_database()
    with pytest.raises(UnreadableStore, match="in Postgres cannot be read"), History.open(url) as history:
        history.evidence()
    asyncio.run(_fill(url, [settled(1), settled(2, policy="shadow:cheapest")], [card("cheap", "go", 0.5)]))
    with History.open(url) as history:
        assert [row["id"] for row in history.settled(0, NOON + 2)] == ["r1"]
        assert [found.language for found in history.evidence().scorecards] == ["go"]
