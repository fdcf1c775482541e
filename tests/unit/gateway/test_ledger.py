"""Spool, drain and store together: nothing lost, nothing twice."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.ledger import spool as spools
from gateway.ledger.drain import Drain
from gateway.ledger.events import AttemptDetail, Opened, Settled
from gateway.ledger.spool import Spool, SpoolFull
from gateway.store.store import Store
from gateway.telemetry.spool_lag import SpoolLag


def opened(request_id: str) -> Opened:
    return Opened(request_id, 1.0, "t", "auto", "auto", "chat")


def settled(request_id: str, **changes: Any) -> Settled:
    fields: dict[str, Any] = {
        "id": request_id, "at": 2.0, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat",
        "route": "small", "revision": "r", "outcome": "ok", "status": 200, "cache": "miss", "streamed": False,
        "input_tokens": 1, "output_tokens": 2, "cached_input_tokens": 0, "usage_source": "provider",
        "cost_nanousd": 3, "ttft_ms": 1.0, "total_ms": 2.0,
        "attempts": [AttemptDetail("small", "http://x", "r", "ok", 1.0)],
    }  # fmt: skip
    return Settled(**{**fields, **changes})


async def outcome(store: Store, request_id: str) -> str | None:
    row = await store.request(request_id)
    assert row is not None
    return row["outcome"]  # type: ignore[no-any-return]


async def test_events_reach_the_store_once_however_often_they_are_read(store: Store, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spools", "one")
    for event in (opened("a"), settled("a"), settled("hit", cache="hit"), opened("b")):
        spool.append(event)
    for _ in range(2):
        await Drain(tmp_path / "spools", store).once()
    assert [await outcome(store, i) for i in ("a", "hit", "b")] == ["ok", "ok", None]
    row = await store.request("a")
    assert row is not None
    assert (row["opened_at"], row["settled_at"], row["cost_nanousd"]) == (1.0, 2.0, 3)
    spool.close()
    await Drain(tmp_path / "spools", store).once()
    assert await outcome(store, "b") == "orphaned"
    assert await outcome(store, "a") == "ok"
    assert list((tmp_path / "spools").glob("[!.]*")) == []


async def test_the_lag_is_what_the_store_does_not_have_yet(store: Store, tmp_path: Path) -> None:
    spool, drain = Spool(tmp_path / "spools", "one"), Drain(tmp_path / "spools", store)
    spool.append(opened("a"))
    length = len(msgspec.json.encode(opened("a"))) + 1
    assert lag_bytes(tmp_path / "spools") == length
    await drain.once()
    assert lag_bytes(tmp_path / "spools") == 0
    spool.append(opened("b"))
    assert lag_bytes(tmp_path / "spools") == length
    spool.close()
    await drain.once()
    assert lag_bytes(tmp_path / "spools") == 0


def lag_bytes(spools: Path) -> float:
    (family,) = SpoolLag(spools).collect()
    (sample,) = family.samples
    assert sample.name == "weighbridge_spool_lag_bytes"
    return float(sample.value)


async def test_a_living_workers_requests_are_not_orphans(store: Store, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spools", "one")
    spool.append(opened("a"))
    drain = Drain(tmp_path / "spools", store)
    await drain.once()
    assert await outcome(store, "a") is None
    spool.append(settled("a"))
    await drain.once()
    assert await outcome(store, "a") == "ok"
    spool.close()


async def test_segments_are_left_behind_and_removed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "SEGMENT_BYTES", 500)
    spool = Spool(tmp_path / "spools", "one")
    drain = Drain(tmp_path / "spools", store)
    for n in range(20):
        spool.append(settled(str(n)))
        await asyncio.sleep(0.02)
    assert len(list((tmp_path / "spools" / "one").glob("*.jsonl"))) > 1
    await asyncio.sleep(2 * spools.SYNC_INTERVAL_S)  # no segment begins while they are read
    await drain.once()
    assert len(list((tmp_path / "spools" / "one").glob("*.jsonl"))) == 1
    assert [await outcome(store, str(n)) for n in range(20)] == ["ok"] * 20
    spool.close()


async def test_draining_that_is_cancelled_leaves_the_store_to_whoever_drains_last(store: Store, tmp_path: Path) -> None:
    spool, drain = Spool(tmp_path / "spools", "one"), Drain(tmp_path / "spools", store)
    for attempt in range(8):
        for number in range(200):
            spool.append(settled(f"{attempt}-{number}"))
        watching = asyncio.create_task(drain.watch())
        for _ in range(3 * attempt):  # it is somewhere in the middle
            await asyncio.sleep(0)
        watching.cancel()
        await drain.once()
        assert await outcome(store, f"{attempt}-199") == "ok"
    spool.close()


async def test_a_torn_last_line_waits_and_a_broken_one_is_passed_over(store: Store, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spools", "one")
    spool.append(settled("a"))
    segment = tmp_path / "spools" / "one" / "000001.jsonl"
    with segment.open("ab") as file:
        file.write(b'{"event":"settle","id":"to')
    drain = Drain(tmp_path / "spools", store)
    await drain.once()
    with segment.open("ab") as file:
        file.write(b"rn\n")
    spool.append(settled("b"))
    await drain.once()
    assert [await outcome(store, i) for i in ("a", "b")] == ["ok", "ok"]
    spool.close()


async def test_a_full_disk_refuses_before_anything_is_dispatched(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spools", "one")
    full = os.open("/dev/full", os.O_WRONLY)
    real, spool._file = spool._file, full
    with pytest.raises(SpoolFull):
        spool.append(opened("a"))
    os.close(full)
    spool._file = real
    spool.close()
