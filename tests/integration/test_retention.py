"""A gateway that has been away comes back: it serves, while old requests become sums and GPU hours are written."""

import asyncio
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from gateway.ledger.events import AttemptDetail, Settled
from gateway.store import gpu
from gateway.store.day_of import HOUR_S
from gateway.store.gpu import Rented
from gateway.store.store import Store
from tests.fixtures.gateway import start_gateway, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

LONG_AGO = datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()
PRICE = {"gpu_hour_usd": 1.80, "gpus": 4, "tokens_per_second": 1660}


def settled(number: int) -> Settled:
    paid = AttemptDetail("gone", "http://x", "r", "ok", 1.0, 200, 1000 + number)
    return Settled(
        f"old{number}", LONG_AGO + number, "t", "auto", "auto", "chat", "gone", "r", "ok", 200, "miss", False, 5, 2, 0,
        "provider", 1000 + number, 1.0, 2.0, [paid], team="red",
    )  # fmt: skip


async def leave_behind(path: Path, metered_until: int) -> None:
    store = await Store.open(path)
    await store.record("spool", [settled(number) for number in range(1200)])
    rented = Rented("large", "m", 4, 7_200_000_000)
    await store.write(partial(gpu.meter, rented=rented, now=metered_until))
    await store.close()


def test_it_keeps_its_ledger_in_order(tmp_path: Path, upstream: Upstream) -> None:
    this_hour = int(time.time()) // HOUR_S * HOUR_S
    asyncio.run(leave_behind(tmp_path / "state" / "weighbridge.sqlite3", this_hour - 3 * HOUR_S))
    config = {"routes": {"large": vllm_route(upstream.url, price=PRICE)}, "ledger": {"keep_days": 30}}
    gateway = start_gateway(tmp_path, config)
    try:
        assert gateway.chat("beside it").status_code == 404  # there is no route `small`
        answer = gateway.chat("beside it", model="large")
        eventually(lambda: gateway.http.get("/v1/requests/old0").status_code == 404)
        eventually(lambda: gateway.http.get("/v1/requests/old1199").status_code == 404)
        asked = {"by": "team", "since": "2026-01-01", "until": "2026-01-31"}
        (red,) = gateway.http.get("/v1/spend", params=asked).json()["rows"]
        assert (red["requests"], red["cost_nanousd"]) == (1200, sum(1000 + number for number in range(1200)))
        since = datetime.fromtimestamp(this_hour - 3 * HOUR_S, UTC).date().isoformat()
        rows = gateway.http.get("/v1/spend", params={"by": "route", "since": since}).json()["rows"]
        (idle,) = (row for row in rows if row["kind"] == "idle_gpu")
        assert idle["gpu_seconds"] >= 3 * 4 * HOUR_S
        paid = gateway.ledger(answer.headers["x-weighbridge-request-id"])["cost_nanousd"]
        bill = 1_800_000_000 * idle["gpu_seconds"] // HOUR_S
        assert idle["cost_nanousd"] in (bill, bill - paid)  # the hour may have ended meanwhile
        assert paid > 0
    finally:
        assert gateway.stop() == 0
