"""The cache against a real Valkey."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.pipeline.cache import NOTHING, REST_AFTER_FAILURE_S, WRITE_BEHIND_S, AnswerCache, Entry
from gateway.processes.embedded_valkey import EmbeddedValkey
from gateway.valkey import Valkey


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Redis]:
    server = EmbeddedValkey(tmp_path / "v.sock")
    await server.start()
    async with Redis.from_url(f"unix://{tmp_path}/v.sock") as client:
        yield client
    await server.stop()


@pytest.fixture
def client(tmp_path: Path) -> Valkey:
    return Valkey(f"unix://{tmp_path}/v.sock", connect_s=10, reply_s=10)


def _is_right(entry: Entry | None) -> bool:
    return entry is not None and (entry.content_type, entry.pieces) == ("text/plain", ["a", "ü"])


async def was_asked(valkey: Redis) -> bool:
    return "cmdstat_getrange" in await valkey.info("commandstats")


async def test_an_answer_is_found_at_once_and_after_it_was_written(valkey: Redis, client: Valkey) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=100)
    cache.put("k", "text/plain", [b"a", "ü".encode()])
    assert _is_right(await cache.get("k"))
    assert not await was_asked(valkey)
    async with asyncio.timeout(60):
        while not await was_asked(valkey):
            await asyncio.sleep(WRITE_BEHIND_S)
            assert _is_right(await cache.get("k"))
    stored = await valkey.get("k")
    assert stored.startswith(b'{"content_type"')  # JSON, never pickle
    assert 0 < await valkey.pttl("k") <= 60_000
    await cache.close()


async def test_what_is_too_large_or_not_text_is_not_kept(valkey: Redis, client: Valkey) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=100)
    cache.put("large", "text/plain", [b"x" * 101])
    cache.put("binary", "text/plain", [b"\xff"])
    assert [await cache.get(key) for key in ("large", "binary")] == [None, None]
    await cache.close()  # which writes what is to be written
    assert await valkey.dbsize() == 0


OURS = {"content_type": "text/plain", "pieces": ["a"], "at": 1.0, "verify": None, "cost_nanousd": 0}


def changed(**fields: Any) -> bytes:
    return json.dumps({**OURS, **fields}).encode()


FOREIGN = {
    "pickle": b"\x80\x04K\x01.",
    "no JSON": changed() + b"x",
    "another shape": b'["text/plain", ["a"], 1.0]',
    "a field more": changed(more=1),
    "deep": b'{"content_type":' + b"[" * 2000,
    "deep elsewhere": changed()[:-1] + b',"more":' + b"[" * 2000,
    "no text": changed().replace(b'"a"', b'"\xff"'),
    "half a letter": changed().replace(b'"a"', b'"\\ud800"'),
    "other pieces": changed(pieces=[1]),
    "a header more": changed(content_type="text/plain\r\nset-cookie: a=b"),
    "a line": changed(content_type="text/plain\n"),
    "no time": changed(at="now"),
    "an endless time": changed().replace(b"1.0", b"1e999"),
    "a time before time": changed(at=-1e300),
    "an unknown verdict": changed(verify="certainly"),
    "money back": changed(cost_nanousd=-1),
    "more money than there is": changed(cost_nanousd=10**30),
    "huge": changed(pieces=["x" * 100_000]),
}


async def both_ways(cache: AnswerCache) -> list[Entry | None]:
    return [await cache.get("k"), (await cache.look_up("k", "token")).entry]


@pytest.mark.parametrize("stored", FOREIGN.values(), ids=FOREIGN)
async def test_a_foreign_entry_is_passed_over(valkey: Redis, client: Valkey, stored: bytes) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=100)
    await valkey.set("k", changed())
    assert None not in await both_ways(cache)
    await valkey.set("k", stored)
    assert await both_ways(cache) == [None, None]
    cache.put("k", "text/plain", [b"ours"])
    await cache.close()
    assert json.loads(await valkey.get("k"))["pieces"] == ["ours"]


async def test_something_else_than_an_entry_is_passed_over(valkey: Redis, client: Valkey) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=100)
    await valkey.rpush("k", "a", "list")
    await valkey.hset("weighbridge:flight:1:other", "a", "hash")
    assert await both_ways(cache) == [None, None]
    assert await cache.look_up("other", "token") == NOTHING
    assert not cache.resting
    await cache.close()


async def test_a_huge_one_is_not_even_fetched(valkey: Redis, client: Valkey) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=100)
    await valkey.set("k", b"x" * 10_000_000)
    await valkey.config_resetstat()
    assert await both_ways(cache) == [None, None]
    assert (await valkey.info("stats"))["total_net_output_bytes"] < 100_000
    await cache.close()


async def test_what_would_grow_too_large_as_json_is_not_kept(valkey: Redis, client: Valkey) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=10_000)
    cache.put("k", "text/plain", [b"\x01" * 10_000])
    cache.put("fits", "text/plain", [b'"' * 10_000])
    await cache.close()
    assert (await valkey.exists("k"), await valkey.exists("fits")) == (0, 1)


async def test_closing_writes_what_is_left(valkey: Redis, client: Valkey, tmp_path: Path) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=100)
    cache.put("k", "text/plain", [b"a"])
    await cache.close()
    async with Redis.from_url(f"unix://{tmp_path}/v.sock") as other:
        assert await other.get("k") is not None


async def test_closing_waits_for_what_is_being_written(valkey: Redis, client: Valkey) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=100)
    await cache.get("k")  # it is connected
    await valkey.execute_command("CLIENT", "PAUSE", 300)
    cache.put("k", "text/plain", [b"a"])
    await asyncio.sleep(WRITE_BEHIND_S * 4)
    cache.put("l", "text/plain", [b"b"])
    await cache.close()
    assert await valkey.exists("k", "l") == 2


async def test_a_dead_valkey_is_left_alone_for_a_while(tmp_path: Path) -> None:
    cache = AnswerCache(
        Valkey(f"unix://{tmp_path}/nobody.sock", connect_s=0.1, reply_s=0.1), ttl_s=60, max_entry_bytes=100
    )
    assert await cache.get("k") is None
    assert cache.resting
    cache.put("k", "text/plain", [b"a"])
    assert await cache.get("k") is None
    await cache.close()


async def test_a_slow_valkey_is_given_up_and_its_late_replies_reach_nobody(valkey: Redis, tmp_path: Path) -> None:
    hasty = Valkey(f"unix://{tmp_path}/v.sock", connect_s=10, reply_s=0.2)
    cache = AnswerCache(hasty, ttl_s=60, max_entry_bytes=100)
    other = AnswerCache(Valkey(f"unix://{tmp_path}/v.sock", connect_s=10, reply_s=10), ttl_s=60, max_entry_bytes=100)
    keys = ["a", "b", "c"]
    for key in keys:
        other.put(key, "text/plain", [key.encode()])
    await other.close()
    await valkey.execute_command("CLIENT", "PAUSE", 2_000)
    assert await asyncio.gather(*map(cache.get, keys)) == [None, None, None]
    assert cache.resting
    async with asyncio.timeout(60):
        while None in (found := await asyncio.gather(*map(cache.get, ["c", "a", "b", "c"]))):
            assert all(entry is None or entry.pieces == [key] for entry, key in zip(found, "cabc", strict=True))
            await asyncio.sleep(REST_AFTER_FAILURE_S / 4)
    assert [entry and entry.pieces for entry in found] == [["c"], ["a"], ["b"], ["c"]]
    await cache.close()
