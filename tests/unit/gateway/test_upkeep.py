"""The parent's upkeep, with a clock of the test's own: GPU hours, and how long requests keep their rows."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from backends.price import Price
from gateway.config import Config, load_config
from gateway.ledger.drain import Drain
from gateway.ledger.events import AttemptDetail, Settled
from gateway.ledger.spool import Spool
from gateway.ledger.upkeep import Upkeep, oldest_kept, rented_by
from gateway.store import gpu, roll_up, spend
from gateway.store.day_of import DAY_S, HOUR_S
from gateway.store.gpu import Rented
from gateway.store.spend import Days
from gateway.store.store import Store
from tests.fixtures.stores import OpenStore

FILE = """\
routes:
  large:
    backend: vllm
    model: llama
    replicas: [http://a:8000, http://b:8000]
    price: {gpu_hour_usd: 1.80, gpus: 4, tokens_per_second: 1660}
  small: {backend: vllm, model: qwen, replicas: [http://c:8000], price: {input: 1, output: 2}}
"""
BEGIN = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
HOUR_NANOUSD = 8 * 1_800_000_000


class Clock:
    def __init__(self, now: float = BEGIN) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "weighbridge.yaml"
    path.write_text(FILE)
    return load_config(path, {})


def settled(name: str, at: float, nanousd: int, route: str = "large") -> Settled:
    paid = AttemptDetail(route, "http://a", "r", "ok", 1.0, 200, nanousd)
    row: dict[str, Any] = {
        "id": name, "at": at, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat", "route": route,
        "revision": "r", "outcome": "ok", "status": 200, "cache": "miss", "streamed": False, "input_tokens": 1,
        "output_tokens": 1, "cached_input_tokens": 0, "usage_source": "provider", "cost_nanousd": nanousd,
        "ttft_ms": 1.0, "total_ms": 2.0, "attempts": [paid], "key_id": "key_1",
    }  # fmt: skip
    return Settled(**row)


async def idle(store: Store, days: int = 1) -> int:
    first = BEGIN // DAY_S
    found = await store.read(partial(gpu.idle, days=Days(first, first + days - 1), by=()))
    return sum(row["cost_nanousd"] for row in found)


async def spent(store: Store, first: int) -> tuple[int, int]:
    (row,) = await store.read(partial(spend.spend, days=Days(first, first + 400), by=()))
    return row["requests"], row["cost_nanousd"]


def test_gpus_of_all_replicas_are_rented(config: Config) -> None:
    assert rented_by(config) == {"large": Rented("large", "llama", 8, HOUR_NANOUSD)}


async def test_two_gateways_on_one_store_bill_each_hour_once(open_store: OpenStore, config: Config) -> None:
    clock = Clock(BEGIN + 1)
    stores = [await open_store(f"gateway {number}") for number in range(2)]
    keepers = [Upkeep(store, lambda: config, clock) for store in stores]
    for hour in range(4):
        clock.now = BEGIN + 1 + hour * HOUR_S
        await stores[0].record("s", [settled(f"{hour}", clock.now + 5, 10**9 * hour)])
        for keeper in keepers:
            await keeper.look()
            await keeper.look()
    bill = 3 * HOUR_NANOUSD - HOUR_NANOUSD // HOUR_S  # the first second was before it
    assert await idle(stores[0]) == bill - 10**9 * (0 + 1 + 2)
    keepers[0] = Upkeep(stores[0], lambda: config, clock)  # killed, and started again within the hour
    await keepers[0].look()
    clock.now = BEGIN + 4 * HOUR_S
    await keepers[0].look()
    assert await idle(stores[1]) == bill + HOUR_NANOUSD - 10**9 * (0 + 1 + 2 + 3)


async def test_a_new_price_counts_from_its_reload_and_a_route_that_goes_is_given_back(
    store: Store, config: Config
) -> None:
    clock, in_force = Clock(), [config]
    keeper = Upkeep(store, lambda: in_force[0], clock)
    await keeper.look()
    clock.now += 1800
    large = config.routes["large"]
    in_force[0] = replace(config, routes={"large": replace(large, price=Price(1, 1, gpus=4, gpu_hour=3_600_000_000))})
    await keeper.look()
    clock.now += 1800
    await keeper.look()
    half, full = HOUR_NANOUSD // 2, 8 * 3_600_000_000
    assert await idle(store) == half + full // 2
    clock.now += 600
    in_force[0] = replace(config, routes={})
    await keeper.look()
    clock.now += 5 * HOUR_S
    await keeper.look()
    assert await idle(store) == half + full // 2 + full // 6
    in_force[0] = config
    await keeper.look()  # it comes back in the middle of an hour
    clock.now += HOUR_S
    await keeper.look()
    assert await idle(store) == half + full // 2 + full // 6 + HOUR_NANOUSD * 3000 // 3600


async def test_old_requests_become_sums_and_this_month_and_its_budgets_stay(store: Store, config: Config) -> None:
    keeping = replace(config, keep_days=7)
    clock = Clock()
    first = BEGIN // DAY_S - 60
    rows = [settled(f"{day}", BEGIN - day * DAY_S + 60, 10**9 + day, "small") for day in range(60)]
    await store.record("s", rows)
    day, month = BEGIN, int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
    budgets, before = await store.spending(day, month), await spent(store, first)
    assert before == (60, 60 * 10**9 + sum(range(60)))
    await Upkeep(store, lambda: keeping, clock).look()
    assert await spent(store, first) == before
    assert await store.spending(day, month) == budgets
    kept = [number for number in range(60) if await store.request(f"{number}") is not None]
    assert kept == list(range(23))  # November's
    clock.now += 12 * DAY_S
    await Upkeep(store, lambda: keeping, clock).look()
    kept = [number for number in range(60) if await store.request(f"{number}") is not None]
    assert kept == []
    assert await spent(store, first) == before


async def test_a_roll_up_that_is_cut_off_has_done_nothing(store: Store) -> None:
    await store.record("s", [settled(f"{number}", BEGIN + number, 7, "small") for number in range(9)])
    before = await spent(store, BEGIN // DAY_S)

    def cut_off(connection: Connection) -> None:
        assert roll_up.roll_up(connection, before=BEGIN + DAY_S, most=5) == 5
        raise RuntimeError("killed before the end")

    with pytest.raises(RuntimeError):
        await store.write(cut_off)
    assert await spent(store, BEGIN // DAY_S) == before
    assert all([await store.request(f"{number}") for number in range(9)])


async def test_gateways_that_roll_up_at_the_same_time_count_each_request_once(
    open_store: OpenStore, config: Config
) -> None:
    stores = [await open_store(f"gateway {number}") for number in range(2)]
    await stores[0].record("s", [settled(f"{number}", BEGIN - 90 * DAY_S, 7, "small") for number in range(1200)])
    keeping = replace(config, keep_days=1)
    await asyncio.gather(*(Upkeep(store, lambda: keeping, Clock()).look() for store in stores))
    assert await stores[0].request("0") is None
    assert await spent(stores[0], BEGIN // DAY_S - 90) == (1200, 8400)


async def test_what_was_rolled_up_is_not_drained_again_after_a_restart(store: Store, tmp_path: Path) -> None:
    spools = tmp_path / "spools"
    spool = Spool(spools, "one")
    spool.append(settled("a", BEGIN, 7, "small"))
    await Drain(spools, store).once()
    assert await store.write(partial(roll_up.roll_up, before=BEGIN + DAY_S)) == 1
    spool.append(settled("b", BEGIN, 5, "small"))
    for _ in range(2):
        await Drain(spools, store).once()  # the spool still has both
        assert await store.request("a") is None
        assert await spent(store, BEGIN // DAY_S) == (2, 12)
    spool.close()
    await Drain(spools, store).once()
    assert await spent(store, BEGIN // DAY_S) == (2, 12)


async def test_without_the_setting_nothing_is_deleted(store: Store, config: Config) -> None:
    await store.record("s", [settled("old", BEGIN - 4000 * DAY_S, 1)])
    await Upkeep(store, lambda: config, Clock()).look()
    assert await store.request("old") is not None


@pytest.mark.parametrize(
    ("now", "keep_days", "kept_from"),
    [
        ("2026-11-23T10:00", 7, "2026-11-01"),
        ("2026-11-23T10:00", 30, "2026-10-24"),
        ("2026-12-01T10:00", 7, "2026-11-01"),
        ("2026-12-02T00:00", 7, "2026-11-25"),
        ("2026-12-09T00:00", 1, "2026-12-01"),
        ("2027-01-01T00:00", 1, "2026-12-01"),
    ],
)
def test_what_is_kept(now: str, keep_days: int, kept_from: str) -> None:
    moments = [datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() for text in (now, kept_from)]
    assert oldest_kept(moments[0], keep_days) == moments[1]
