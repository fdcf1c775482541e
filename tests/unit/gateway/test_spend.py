"""What was spent, by whatever it is asked: the sums are always the whole, before and after a roll-up."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from backends.usage import Usage
from gateway.ledger.events import AttemptDetail, Settled
from gateway.store import gpu, roll_up, spend
from gateway.store.day_of import DAY_S, HOUR_S
from gateway.store.engine import Where
from gateway.store.gpu import Rented
from gateway.store.schema import charges
from gateway.store.spend import DIMENSIONS, MEASURES, Days
from gateway.store.store import Store
from tests.fixtures.postgres import Postgres

DAYS = count(20_000)
"""Each example has days of its own."""
MEASURED = Usage(100, 10, 40)


class Ledger:
    """A store, and what an example of a test puts into it."""

    def __init__(self, where: Where) -> None:
        self.runner = asyncio.Runner()
        self.store = self.runner.run(Store.open(where))

    def record(self, *rows: Settled) -> None:
        self.runner.run(self.store.record("spool", rows))

    def spend(self, day: int, *by: str, days: int = 1, tenant: str | None = None) -> list[dict[str, Any]]:
        asked = partial(spend.spend, days=Days(day, day + days - 1), by=by, tenant=tenant)
        return self.runner.run(self.store.read(asked))

    def idle(self, day: int, *by: str, days: int = 1) -> list[dict[str, Any]]:
        return self.runner.run(self.store.read(partial(gpu.idle, days=Days(day, day + days - 1), by=by)))

    def charges(self) -> int:
        counted = select(func.count()).select_from(charges)
        return self.runner.run(self.store.read(lambda connection: connection.execute(counted).scalar_one()))

    def roll_up(self, before: float, most: int = 500) -> int:
        return self.runner.run(self.store.write(partial(roll_up.roll_up, before=before, most=most)))

    def meter(self, now: int, *, ending: bool = False, rented: Rented | None = None) -> None:
        rented = rented or Rented("large", "m", 8, 14_400_000_000)
        self.runner.run(self.store.write(partial(gpu.meter, rented=rented, now=now, ending=ending)))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    if request.param == "sqlite":
        made = Ledger(tmp_path_factory.mktemp("spend") / "db")
    else:
        server: Postgres = request.getfixturevalue("postgres_server")
        server.execute("CREATE DATABASE spend")
        made = Ledger(server.url("spend"))
    yield made
    made.runner.run(made.store.close())
    made.runner.close()


def attempt(route: str, cost: int, usage: Usage | None = MEASURED, source: str = "provider") -> AttemptDetail:
    return AttemptDetail(
        route, "http://x", "r", "ok", 1.0, 200, cost, model=f"m-{route}", usage=usage, usage_source=source
    )


IDS = count()


def settled(at: float, *attempts: AttemptDetail, **changes: Any) -> Settled:
    last = attempts[-1] if attempts else attempt("small", 0, None, "unknown")
    usage = last.usage or Usage()
    fields: dict[str, Any] = {
        "id": f"{next(IDS)}", "at": at, "tenant": "t", "asked": "auto", "policy": "auto", "wire": "chat",
        "route": last.route, "revision": "r", "outcome": "ok", "status": 200, "cache": "miss", "streamed": False,
        "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
        "cached_input_tokens": usage.cached_input_tokens, "usage_source": last.usage_source,
        "cost_nanousd": sum(each.cost_nanousd for each in attempts), "ttft_ms": 1.0, "total_ms": 2.0,
        "attempts": list(attempts), "model": last.model,
    }  # fmt: skip
    return Settled(**{**fields, **changes})


def test_a_request_that_asked_twice_is_spent_on_both_routes(ledger: Ledger) -> None:
    day = next(DAYS)
    rejected, passed = attempt("small", 7, Usage(50, 5)), attempt("large", 100, Usage(60, 6, 20), "estimated")
    ledger.record(settled(day * DAY_S, rejected, passed), settled(day * DAY_S + 1, attempt("small", 9, Usage(3, 2))))
    large, small = sorted(ledger.spend(day, "route"), key=lambda row: row["route"])
    assert (small["requests"], small["cost_nanousd"], small["input_tokens"], small["output_tokens"]) == (1, 16, 53, 7)
    assert (large["requests"], large["cost_nanousd"], large["cached_input_tokens"]) == (1, 100, 20)
    assert (small["provider_nanousd"], large["provider_nanousd"]) == (16, 0)
    (total,) = ledger.spend(day)
    assert (total["requests"], total["cost_nanousd"], total["provider_nanousd"]) == (2, 116, 16)
    assert {row["model"]: row["cost_nanousd"] for row in ledger.spend(day, "model")} == {"m-small": 16, "m-large": 100}


def test_what_the_cache_saved_errors_and_what_nobody_counted(ledger: Ledger) -> None:
    day = next(DAYS)
    ledger.record(
        settled(day * DAY_S, attempt("small", 9)),
        settled(day * DAY_S, cache="hit", saved_nanousd=9),
        settled(day * DAY_S, cache="shared", saved_nanousd=9),
        settled(day * DAY_S, outcome="upstream_unreachable", status=503),
        settled(day * DAY_S, outcome="client_left", status=499),
        settled(day * DAY_S, attempt("small", 0, None, "unknown")),
    )
    (total,) = ledger.spend(day)
    assert {name: total[name] for name in ("requests", "errors", "cache_hits", "uncounted", "saved_nanousd")} == {
        "requests": 6, "errors": 1, "cache_hits": 2, "uncounted": 2, "saved_nanousd": 18,
    }  # fmt: skip
    sources = {row["usage_source"]: row["requests"] for row in ledger.spend(day, "usage_source")}
    assert sources == {"provider": 1, "cache": 2, "unknown": 3}


def test_what_is_mirrored_is_listed_apart_and_is_nobodys_business_outside(ledger: Ledger) -> None:
    day = next(DAYS)
    ledger.record(
        settled(day * DAY_S, attempt("small", 9), tenant="a", team="red"),
        settled(day * DAY_S, attempt("large", 50), tenant="a", policy="shadow:auto"),
        settled(day * DAY_S, attempt("small", 4), tenant="b"),
    )
    kinds = {(row["kind"], row["team"]): row["cost_nanousd"] for row in ledger.spend(day, "team")}
    assert kinds == {("requests", "red"): 9, ("requests", None): 4, ("shadow", None): 50}
    (own,) = ledger.spend(day, tenant="a")
    assert (own["requests"], own["cost_nanousd"]) == (1, 9)


def test_days_are_utcs_and_both_ends_belong(ledger: Ledger) -> None:
    day = next(DAYS)
    next(DAYS)
    ends = (day * DAY_S - 0.001, day * DAY_S, (day + 1) * DAY_S - 0.001, (day + 2) * DAY_S)
    ledger.record(*(settled(at, attempt("small", 10**number)) for number, at in enumerate(ends)))
    assert [row["cost_nanousd"] for row in ledger.spend(day)] == [110]
    assert [(row["day"], row["cost_nanousd"]) for row in ledger.spend(day, "day", days=2)] == [(day, 110)]
    next(DAYS)


names = st.sampled_from(["a", "b", None])
usages = st.builds(Usage, st.integers(0, 9), st.integers(0, 9), st.integers(0, 3))
attempts = st.builds(
    attempt,
    st.sampled_from(["small", "large"]),
    st.integers(0, 10**12),
    st.none() | usages,
    st.sampled_from(["provider", "estimated", "last_seen", "unknown"]),
)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "second": st.integers(0, DAY_S - 1),
            "attempts": st.lists(attempts, max_size=3),
            "key_id": names,
            "team": names,
            "customer": names,
            "language": names,
            "policy": st.sampled_from(["auto", "shadow:auto"]),
            "outcome": st.sampled_from(["ok", "client_left", "upstream_error"]),
            "cache": st.sampled_from(["miss", "hit", "bypass"]),
            "more": st.sampled_from([0, 0, 5]),
            "saved_nanousd": st.integers(0, 9),
        }
    ),
    max_size=12,
)


def of(day: int, row: dict[str, Any]) -> Settled:
    rest = {name: value for name, value in row.items() if name not in ("second", "attempts", "more")}
    cost = sum(each.cost_nanousd for each in row["attempts"]) + row["more"]
    return settled(day * DAY_S + row["second"], *row["attempts"], cost_nanousd=cost, **rest)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, st.lists(st.sampled_from(DIMENSIONS), unique=True, max_size=3), st.integers(1, 5), st.integers(0, 3))
def test_every_sum_is_the_whole_before_and_after_a_roll_up(
    ledger: Ledger, rows: list[dict[str, Any]], by: list[str], most: int, moved: int
) -> None:
    day = next(DAYS)
    recorded = [of(day, row) for row in rows]
    ledger.record(*recorded)
    whole = summed(ledger.spend(day))
    assert whole["cost_nanousd"] == sum(row.cost_nanousd for row in recorded)
    assert whole["requests"] == len(recorded)
    assert summed(ledger.spend(day, *by)) == whole
    before, begin = shown(ledger.spend(day, *by)), day * DAY_S
    for _ in range(moved):  # each is a transaction; it may stop anywhere
        ledger.roll_up(begin + DAY_S, most)
        assert shown(ledger.spend(day, *by)) == before
    while ledger.roll_up(begin + DAY_S, most):
        pass
    assert shown(ledger.spend(day, *by)) == before
    assert summed(ledger.spend(day)) == whole
    assert ledger.charges() == 0


def summed(rows: list[dict[str, Any]]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in rows:
        sums.update({name: row[name] for name in (*MEASURES, "provider_nanousd")})
    return sums


def shown(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def test_idle_and_paid_are_the_gpus_bill(ledger: Ledger) -> None:
    next(DAYS)
    day = next(DAYS)
    begin = day * DAY_S
    ledger.meter(begin + 600)  # the route is there from ten past
    ledger.meter(begin + 1800)
    assert ledger.idle(day) == []  # the hour is not over
    ledger.record(
        settled(begin + 900, attempt("large", 2_000_000_000)),
        settled(begin + 1000, attempt("large", 3, Usage(1, 1)), attempt("small", 40)),
        settled(begin - 300, attempt("large", 77)),  # the hour before it
        settled(begin + HOUR_S, attempt("large", 1_000_000_000)),
        settled(begin + 5 * HOUR_S, attempt("large", 5)),  # in an hour that is not written yet
    )
    for now in (HOUR_S + 5, HOUR_S + 5, 2 * HOUR_S, 2 * HOUR_S + 100):
        ledger.meter(begin + now)
    bill = 14_400_000_000 * 3000 // 3600 + 14_400_000_000
    paid = 2_000_000_003 + 1_000_000_000
    (row,) = ledger.idle(day, "route")
    assert row == {"route": "large", "gpu_seconds": 8 * (3000 + 3600), "cost_nanousd": bill - paid}
    before = shown(ledger.idle(day, "day", "model"))
    while ledger.roll_up(begin + DAY_S, 1):
        assert shown(ledger.idle(day, "day", "model")) == before
    late = settled(begin + 950, attempt("large", 10))  # from a spool that was away
    ledger.record(late)
    assert ledger.idle(day)[0]["cost_nanousd"] == bill - paid - 10
    assert sum(row["cost_nanousd"] for row in ledger.spend(day, "route") if row["route"] == "large") == paid + 10 + 5


def test_a_meter_survives_restarts_other_gateways_new_prices_and_clocks(ledger: Ledger) -> None:
    day = next(DAYS)
    begin, a, b = day * DAY_S, Rented("metered", "m", 1, 3600), Rented("metered", "m", 2, 7200)
    next(DAYS), next(DAYS)
    ledger.meter(begin, rented=a)
    ledger.meter(begin + 3 * HOUR_S + 60, rented=a)  # away for three hours
    for _ in range(2):  # two gateways, one store
        ledger.meter(begin + 3 * HOUR_S + 1800, rented=a, ending=True)  # the price changes
    ledger.meter(begin + 4 * HOUR_S, rented=b)
    assert [(row["gpu_seconds"], row["cost_nanousd"]) for row in ledger.idle(day)] == [
        (3 * HOUR_S + 1800 + 2 * 1800, 3 * 3600 + 1800 + 3600)
    ]
    ledger.meter(begin - HOUR_S, rented=b)  # the clock was put back
    ledger.meter(begin + 4 * HOUR_S, rented=b)
    ledger.meter(begin + 5 * HOUR_S, rented=b)
    assert ledger.idle(day)[0]["cost_nanousd"] == 3 * 3600 + 1800 + 3600 + 7200
    ledger.meter(begin + 40 * HOUR_S, rented=b)  # more than a day: they were given back meanwhile
    ledger.meter(begin + 41 * HOUR_S, rented=b)
    assert ledger.idle(day, days=3)[0]["cost_nanousd"] == 3 * 3600 + 1800 + 3600 + 2 * 7200
