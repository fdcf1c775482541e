"""The cache against a real Valkey."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.pipeline.cache import REST_AFTER_FAILURE_S, WRITE_BEHIND_S, AnswerCache, Entry
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


async def test_a_foreign_entry_is_passed_over(valkey: Redis, client: Valkey) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=100)
    await valkey.set("k", b"\x80\x04K\x01.")
    assert await cache.get("k") is None
    assert not cache.resting
    await cache.close()


async def test_closing_writes_what_is_left(valkey: Redis, client: Valkey, tmp_path: Path) -> None:
    cache = AnswerCache(client, ttl_s=60, max_entry_bytes=100)
    cache.put("k", "text/plain", [b"a"])
    await cache.close()
    async with Redis.from_url(f"unix://{tmp_path}/v.sock") as other:
        assert await other.get("k") is not None


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
