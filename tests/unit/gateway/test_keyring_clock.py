"""Keys that expire, on a clock that is told: it may be set while the gateway runs."""

import time
from pathlib import Path

import msgspec
import pytest

from gateway.keys import keyring
from gateway.keys.key import VirtualKey
from gateway.keys.keyring import Keyring
from gateway.keys.register import Register
from gateway.problem import Problem
from gateway.store.store import Store

NOW = 1_764_000_000.0
SECRET = "0123456789abcdef-canary"


def ring(path: Path, **fields: float | str) -> Keyring:
    found = Keyring(path, SECRET)
    key = VirtualKey("key_1", found.hash(b"wb-new"), "a", NOW, NOW)
    keyring.write(path, [msgspec.structs.replace(key, **fields)])
    found.look()
    return found


def code(found: Keyring, key: bytes, now: float) -> str:
    try:
        return found.find(key, now).id
    except Problem as problem:
        return problem.code


def test_a_key_expires_when_its_time_comes_and_a_clock_that_was_ahead_gives_it_back(tmp_path: Path) -> None:
    found = ring(tmp_path / "keys.json", expires_at=NOW + 60)
    times = (NOW, NOW + 59.9, NOW + 60, NOW + 86_400, NOW + 59.9)
    assert [code(found, b"wb-new", now) for now in times] == ["key_1", "key_1", "key_expired", "key_expired", "key_1"]


@pytest.mark.parametrize(("now", "is_good"), [(NOW + 59.9, True), (NOW + 60, False), (NOW - 86_400, True)])
def test_a_rotated_key_is_good_for_its_grace(tmp_path: Path, now: float, is_good: bool) -> None:
    found = ring(tmp_path / "keys.json", old_hash=Keyring(tmp_path / "x", SECRET).hash(b"wb-old"), old_until=NOW + 60)
    assert code(found, b"wb-old", now) == ("key_1" if is_good else "invalid_api_key")
    assert code(found, b"wb-new", now) == "key_1"


def test_a_revoked_key_stays_so_whatever_the_clock_says(tmp_path: Path) -> None:
    found = ring(tmp_path / "keys.json", revoked_at=NOW)
    assert {code(found, b"wb-new", now) for now in (NOW - 86_400, NOW, NOW + 86_400)} == {"key_revoked"}


async def test_a_clock_that_was_set_back_undoes_no_change(tmp_path: Path) -> None:
    """Of two changes the newer one holds."""
    store = await Store.open(tmp_path / "db")
    register = Register(store, tmp_path / "keys.json", None)
    await register.open()
    tomorrow = time.time() + 86_400
    await register.put([VirtualKey("key_1", "first", "a", tomorrow, tomorrow)])
    for turned in ("second", "third"):
        rotated = await register.rotate("key_1", turned, 0)
        assert rotated is not None
    (key,) = register.keys
    assert (key.hash, key.old_hash) == ("third", "second")
    await register.revoke("key_1")
    (key,) = await store.keys()
    assert (key.hash, key.revoked_at is not None) == ("third", True)
    await store.close()
