"""Who makes an answer that several workers look for at the same time: leases in a real Valkey."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.pipeline import lease as leases
from gateway.pipeline.cache import NOTHING, AnswerCache, Found
from gateway.pipeline.lease import Lease
from gateway.processes.embedded_valkey import EmbeddedValkey
from gateway.valkey import Valkey

pytestmark = pytest.mark.usefixtures("no_complaints")


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Redis]:
    server = EmbeddedValkey(tmp_path / "v.sock")
    await server.start()
    async with Redis.from_url(f"unix://{tmp_path}/v.sock") as client:
        yield client
    await server.stop()


@pytest.fixture
async def workers(valkey: Redis, tmp_path: Path) -> AsyncIterator[tuple[AnswerCache, AnswerCache]]:
    """Two workers' caches in front of one Valkey."""
    one, two = (
        AnswerCache(Valkey(f"unix://{tmp_path}/v.sock", connect_s=20, reply_s=20), ttl_s=60, max_entry_bytes=1000)
        for _ in range(2)
    )
    yield one, two
    for cache in (one, two):
        await cache.close()


Workers = tuple[AnswerCache, AnswerCache]


async def taken(cache: AnswerCache, token: str) -> Lease:
    found = await cache.look_up("k", token)
    assert found.lease is not None
    assert found.lease.take()
    return found.lease


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 (another process does it)
            await asyncio.sleep(0.01)


async def comes(cache: AnswerCache, token: str) -> Found:
    """What is found as soon as nobody holds the lease any more."""
    found = NOTHING

    async def is_free() -> bool:
        nonlocal found
        found = await cache.look_up("k", token)
        return found.holder is None

    await until(is_free)
    return found


async def is_missing(cache: AnswerCache, key: str) -> bool:
    return await cache.get(key) is None


async def is_over(valkey: Redis, name: str) -> bool:
    return bool(await valkey.get(name) == b"over")


async def is_renewed(valkey: Redis, name: str) -> bool:
    return bool(await valkey.pttl(name) <= leases.LEASE_S * 1000)


async def test_one_of_all_that_ask_gets_the_lease(workers: Workers) -> None:
    asking = (cache.look_up("k", f"{n}{at}") for n in range(20) for at, cache in enumerate(workers))
    found = await asyncio.gather(*asking)
    (lease,) = [one.lease for one in found if one.lease is not None]
    assert {one.holder for one in found} == {None, lease.token}
    assert all(one.entry is None for one in found)


async def test_whoever_waits_finds_the_answer_and_nobody_the_lease(workers: Workers, valkey: Redis) -> None:
    lease = await taken(workers[0], "a")
    lease.end(over=True)
    workers[0].put("k", "text/plain", [b"hello"])  # after the lease ended, in the same round trip and before it
    found = await comes(workers[1], "b")
    assert found.entry is not None
    assert found.entry.pieces == ["hello"]


async def test_after_a_failure_one_of_those_who_wait_takes_over(workers: Workers) -> None:
    lease = await taken(workers[0], "a")
    assert (await workers[1].look_up("k", "b")).holder == "a"
    lease.end(over=False)
    assert (await comes(workers[1], "b")).lease is not None
    assert [(await cache.look_up("k", "c")).holder for cache in workers] == ["b", "b"]


async def test_whoever_lost_the_lease_ends_nobody_elses(workers: Workers, valkey: Redis) -> None:
    slow = await taken(workers[0], "a")
    await valkey.flushall()
    await taken(workers[1], "b")
    slow.end(over=True)
    await workers[0].close()  # which sends it
    assert (await workers[1].look_up("k", "c")).holder == "b"


async def test_one_that_nobody_took_is_given_back(workers: Workers) -> None:
    offered = (await workers[0].look_up("k", "a")).lease
    assert offered is not None
    offered.give_back()
    assert not offered.take()
    lease = (await comes(workers[1], "b")).lease
    assert lease is not None
    assert lease.take()
    lease.give_back()  # a flight has it
    await workers[0].close()
    assert (await workers[1].look_up("k", "c")).holder == "b"


async def test_after_an_answer_that_is_not_kept_nobody_waits_in_line(workers: Workers, valkey: Redis) -> None:
    (await taken(workers[0], "a")).end(over=True)
    assert await comes(workers[1], "b") == NOTHING
    assert [await cache.look_up("k", "c") for cache in workers] == [NOTHING, NOTHING]
    (name,) = [name async for name in valkey.scan_iter() if b"flight" in name]
    assert 0 < await valkey.pttl(name) <= leases.OVER_S * 1000


async def test_a_lease_lasts_while_its_flight_does_and_no_longer(workers: Workers, valkey: Redis) -> None:
    await taken(workers[0], "a")
    (name,) = [name async for name in valkey.scan_iter()]
    for _ in range(2):
        await valkey.pexpire(name, 3_600_000)
        await until(lambda: is_renewed(valkey, name))
    assert (await workers[1].look_up("k", "b")).holder == "a"
    await workers[0].close()  # it died, as far as the others can see
    assert (await comes(workers[1], "b")).lease is not None


async def test_no_lease_where_valkey_takes_nothing(workers: Workers, valkey: Redis) -> None:
    await valkey.set("k", "x" * 100)
    await valkey.config_set("maxmemory", 1)
    await valkey.config_set("maxmemory-policy", "noeviction")
    assert await workers[0].look_up("other", "a") == NOTHING
    workers[0].put("other", "text/plain", [b"a"])
    await until(lambda: is_missing(workers[0], "other"))  # it could not be written
    assert not workers[0].resting  # what is there is found as ever


async def test_an_answer_that_was_just_made_needs_no_round_trip(workers: Workers, valkey: Redis) -> None:
    workers[0].put("k", "text/plain", [b"a"])
    found = await workers[0].look_up("k", "a")
    assert found.entry is not None
    assert "cmdstat_evalsha" not in await valkey.info("commandstats")


async def test_a_look_up_and_an_end_are_a_round_trip_each(workers: Workers, valkey: Redis) -> None:
    """Once Valkey knows the scripts; and nothing goes out until the answer is kept."""
    for key in ("first", "k"):
        await valkey.config_resetstat()
        found = await workers[0].look_up(key, "a")
        assert found.lease is not None
        assert found.lease.take()
        workers[0].put(key, "text/plain", [b"a"])
        found.lease.end(over=True)
        await until(partial(is_over, valkey, f"weighbridge:flight:1:{key}"))
    calls = await valkey.info("commandstats")
    assert (calls["cmdstat_evalsha"]["calls"], calls["cmdstat_set"]["calls"]) == (2, 3)  # two sets are the scripts' own
    assert "cmdstat_eval" not in calls
