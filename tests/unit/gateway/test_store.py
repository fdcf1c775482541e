"""The store on SQLite and on Postgres: the same answers from both, also where several gateways write to one."""

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.feedback import Feedback
from gateway.keys.key import VirtualKey
from gateway.ledger.events import AttemptDetail, Event, Opened, Settled
from gateway.store.engine import Where
from gateway.store.schema import admissions, requests, scorecards
from gateway.store.spending import Spending
from gateway.store.store import Store
from gateway.store.trouble import StoreRefused
from policies.admission import Admission
from policies.scorecard import Scorecard
from tests.fixtures.stores import OpenStore

KEY = VirtualKey(id="key_1", hash="h", owner="alice", created_at=1.0, changed_at=1.0)
MORNING = datetime(2026, 11, 20, 9, tzinfo=UTC)
_numbers = itertools.count()


def opened(request_id: str, **changes: Any) -> Opened:
    fields: dict[str, Any] = {
        "id": request_id, "at": 1.0, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat"
    }  # fmt: skip
    return Opened(**{**fields, **changes})


def settled(request_id: str, **changes: Any) -> Settled:
    fields: dict[str, Any] = {
        "id": request_id, "at": 2.0, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat",
        "route": "small", "revision": "r", "outcome": "ok", "status": 200, "cache": "miss", "streamed": False,
        "input_tokens": 1, "output_tokens": 2, "cached_input_tokens": 0, "usage_source": "provider",
        "cost_nanousd": 3, "ttft_ms": 1.0, "total_ms": 2.0,
        "attempts": [AttemptDetail("small", "http://x", "r", "ok", 1.0)],
    }  # fmt: skip
    return Settled(**{**fields, **changes})


def card(run_id: str, suite: str = "s+") -> Scorecard:
    return Scorecard(run_id, "small", "r", suite, "c0", "go", MORNING.isoformat(), 164, 1, 164, 164, 0, 0, 0.9)


def admission(number: int, suite: str = "s+") -> Admission:
    at = (MORNING + timedelta(minutes=number)).isoformat()
    state: Any = "demoted" if number % 2 else "admitted"
    return Admission("small", "r", suite, None, 0.8, 0.95, None, state, at, "why", "w", 0.7, 0.9, 10)


async def test_a_row_comes_back_as_it_was_recorded(store: Store) -> None:
    large = 2**63 - 1
    await store.record("one", [opened("a"), settled("a", cost_nanousd=large, input_tokens=2**40, ttft_ms=None)])
    row = await store.request("a")
    assert row is not None
    assert (row["cost_nanousd"], row["input_tokens"], row["ttft_ms"]) == (large, 2**40, None)
    assert (row["opened_at"], row["settled_at"], row["streamed"]) == (1.0, 2.0, False)
    assert row["attempts"][0]["replica"] == "http://x"
    assert await store.request("b") is None


text = st.text(st.characters(codec="utf-8"), max_size=300)
counts = st.integers(-(10**30), 10**30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(text, text, counts, counts, st.sampled_from([200, 2**31, 10**20]))
async def test_the_ledger_takes_whatever_clients_and_servers_say(
    store: Store, asked: str, session: str, tokens: int, cost: int, status: int
) -> None:
    name = f"wild{next(_numbers)}"
    event = settled(
        name, asked=asked, session=session, input_tokens=tokens, cost_nanousd=cost, status=status,
        attempts=[AttemptDetail(asked, session, "r", "ok", 1.0)],
    )  # fmt: skip
    await store.record("one", [opened(name, asked=asked, session=session), event])
    row = await store.request(name)
    assert row is not None
    assert row["asked"] == asked.replace("\0", "\N{REPLACEMENT CHARACTER}")[:200]
    assert row["cost_nanousd"] == max(min(cost, 2**63 - 1), -(2**63 - 1))
    assert row["attempts"][0]["route"] == asked


async def test_a_scorecard_that_does_not_fit_is_refused_by_both(store: Store) -> None:
    for run_id in ("r" * 201, "nul\0"):
        with pytest.raises(StoreRefused):
            await store.add_scorecards([card("good"), card(run_id)])
    assert (await store.evidence()).scorecards == ()


async def test_batches_of_several_gateways_at_once_are_in_it_once(open_store: OpenStore) -> None:
    gateways = [await open_store(f"ledger{n}") for n in range(3)]

    async def drain(number: int) -> None:
        for batch in range(5):
            ids = [f"{number}-{batch}-{n}" for n in range(20)]
            events = [event for i in ids for event in (opened(i), settled(i))]
            await gateways[number].record(f"spool{number}", events)
            await gateways[number].record(f"spool{number}", events)

    await asyncio.gather(*map(drain, range(3)))
    rows = await gateways[0].read(lambda c: c.execute(select(requests.c.ledger, requests.c.outcome)).all())
    assert len(rows) == 300
    assert {tuple(row) for row in rows} == {(f"ledger{n}", "ok") for n in range(3)}


async def test_versions_of_the_evidence_are_raised_one_at_a_time(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    posted = [stores[n % 3].add_scorecards([card(f"run{n}")]) for n in range(9)]
    decided = [stores[n % 3].add_admissions([admission(n, f"suite{n}")]) for n in range(9)]
    await asyncio.gather(*posted, *decided)
    versions = await stores[0].read(
        lambda c: sorted(v for t in (scorecards, admissions) for v in c.execute(select(t.c.version)).scalars())
    )
    assert versions == list(range(1, 19))
    assert (await stores[1].marks())["evidence"] == (await stores[2].evidence()).version == 18


async def test_of_admissions_the_newest_of_each_gate_is_in_force(store: Store) -> None:
    assert await store.add_admissions([admission(1), admission(2), admission(0, "other")]) == 3
    before = await store.marks()
    assert await store.add_admissions([admission(1)]) == 0  # older than what is in force
    assert await store.marks() == before
    assert {row.suite: row.state for row in (await store.evidence()).watched} == {"s+": "admitted", "other": "admitted"}
    assert [row.at for row in await store.admissions(2)] == [admission(0).at, admission(2).at]


async def test_the_same_runs_scorecard_replaces_its_earlier_one(store: Store) -> None:
    await store.add_scorecards([card("run"), card("run", "other")])
    await store.add_scorecards([replace(card("run"), tasks=100)])
    evidence = await store.evidence()
    assert sorted((c.suite, c.tasks) for c in evidence.scorecards) == [("other", 164), ("s+", 100)]
    assert evidence.version == 2


async def test_a_gateway_that_has_not_heard_of_a_revocation_does_not_undo_it(open_store: OpenStore) -> None:
    here, there = await open_store(), await open_store()
    await here.put_keys([KEY])
    revoked = msgspec.structs.replace(KEY, revoked_at=5.0, changed_at=5.0)
    await here.put_keys([revoked])
    rotated = msgspec.structs.replace(KEY, hash="new", changed_at=9.0)
    (kept,) = await there.put_keys([rotated])
    assert (kept.hash, kept.revoked_at) == ("new", 5.0)
    assert await here.keys() == [kept]


async def test_keys_that_are_put_at_the_same_time_are_all_kept(open_store: OpenStore) -> None:
    stores = [await open_store() for _ in range(3)]
    made = [msgspec.structs.replace(KEY, id=f"key_{n}") for n in range(12)]
    before = (await stores[0].marks())["keys"]
    await asyncio.gather(*(stores[n % 3].put_keys([key]) for n, key in enumerate(made)))
    assert sorted(key.id for key in await stores[0].keys()) == sorted(key.id for key in made)
    assert (await stores[0].marks())["keys"] == before + 12


async def test_feedback_replaces_and_adds_up(store: Store) -> None:
    await store.record("one", [settled("a"), settled("b", cache="hit"), settled("c", outcome="x", ttft_ms=None)])
    for request_id, verdict in (("a", "rejected"), ("a", "accepted"), ("b", "edited"), ("c", "accepted")):
        await store.add_feedback(Feedback(request_id, verdict), 7.0)  # type: ignore[arg-type]
    tallies = {(t.route, t.verdict, t.again): t.count for t in await store.feedback_tallies()}
    assert tallies == {("small", "accepted", False): 1, ("small", "edited", True): 1}
    assert await store.feedback_tallies("somebody else") == []


async def test_spending_is_summed_up_by_whoever_recorded_it(open_store: OpenStore) -> None:
    here, there = await open_store("here"), await open_store("there")
    whose = {"key_id": "k", "team": "team", "customer": None}
    huge = 2**53 + 1  # no float holds it
    await here.record("one", [settled("a", at=10.0, cost_nanousd=huge, **whose), settled("b", at=30.0, **whose)])
    await there.record("two", [settled("c", at=30.0, **whose), settled("d", at=30.0)])
    spent = sorted(await here.spending(20.0, 5.0), key=lambda each: str(each.ledger))
    assert spent == [Spending("here", "k", "team", None, 3, huge + 3), Spending("there", "k", "team", None, 3, 3)]
    assert all(type(each.month) is int for each in spent)


async def test_a_spools_last_charges(store: Store) -> None:
    rows: list[Event] = [opened("lost", key_id="k")]
    rows += [settled("old", at=100.0, key_id="k"), settled("new", at=200.0, key_id="k")]
    await store.record("one", rows)
    assert await store.settle_orphans("one", 300.0) == 1
    assert await store.settle_orphans("one", 400.0) == 0
    assert sorted(charge.id for charge in await store.last_charges("one")) == ["lost", "new"]


async def test_a_sessions_requests_are_the_newest_first(store: Store) -> None:
    rows = [settled(str(n), at=float(n), session="s", tenant=f"t{n % 2}") for n in range(6)]
    await store.record("one", [*rows, opened("under way", session="s"), settled("x", session="other")])
    assert [row["id"] for row in await store.requests_of("s", 3)] == ["5", "4", "3"]
    assert [row["id"] for row in await store.requests_of("s", 9, "t0")] == ["4", "2", "0"]


async def test_what_has_begun_is_ended_though_nobody_waits_for_it(store: Store, where: Where) -> None:
    """A transaction that is cancelled in the middle would go on holding its locks."""
    other = Store(where, patience_s=20.0)
    for attempt in range(16):
        rows = [settled(f"{attempt}-{n}") for n in range(200)]
        writing = asyncio.create_task(store.record("one", rows))
        await asyncio.sleep(0.001 * attempt)
        writing.cancel()
        await other.record("two", [settled(f"{attempt}-0")])
    assert await store.request("15-0") is not None
    await other.close()
