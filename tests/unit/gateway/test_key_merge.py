"""Virtual keys as plain values: what replicas make of each other's news, what a key may, what an admin may ask for."""

import json
from functools import reduce
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Residency, Route
from gateway.keys import keyring
from gateway.keys.key import Allowance, Budget, VirtualKey, merged, shown
from gateway.keys.keyring import Keyring
from gateway.keys.order import KeyOrder
from gateway.keys.secret import KeyHash, new_key
from gateway.problem import Problem

KEY = VirtualKey(id="key_1", hash="h", owner="alice", created_at=1.0, changed_at=1.0)

versions = st.lists(
    st.builds(
        lambda at, digest, revoked: msgspec.structs.replace(KEY, changed_at=at, hash=digest, revoked_at=revoked),
        st.sampled_from([1.0, 2.0, 3.0]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([None, 1.5, 2.5]),
    ),
    min_size=1,
    max_size=5,
)


def route(name: str, residency: Residency = "self_hosted") -> Route:
    return Route(name, "vllm", "m", Price(), residency=residency)


@given(versions, st.randoms())
def test_replicas_agree_whatever_the_order_and_revocation_stays(told: list[VirtualKey], random: object) -> None:
    one = reduce(merged, told)
    other = reduce(merged, [*sorted(told, key=repr), *told])
    assert (one.changed_at, one.hash, one.revoked_at) == (other.changed_at, other.hash, other.revoked_at)
    assert (one.revoked_at is not None) == any(key.revoked_at is not None for key in told)


def test_tenants_of_different_kinds_never_meet() -> None:
    tenants = [
        msgspec.structs.replace(KEY, customer="x").tenant,
        msgspec.structs.replace(KEY, team="x").tenant,
        msgspec.structs.replace(KEY, id="x").tenant,
    ]
    assert len(set(tenants)) == 3
    assert msgspec.structs.replace(KEY, team="t", customer="x").tenant == tenants[0]


@pytest.mark.parametrize(
    ("rights", "routes", "policies"),
    [
        ({}, ["in", "out"], ["auto", "other"]),
        ({"policies": frozenset({"auto"})}, [], ["auto"]),
        ({"routes": frozenset({"in"})}, ["in"], ["auto", "other"]),
        ({"routes": frozenset({"in"}), "policies": frozenset({"auto"})}, ["in"], ["auto"]),
        ({"residency": "self_hosted"}, ["in"], ["auto", "other"]),
        ({"residency": "third_party"}, ["in", "out"], ["auto", "other"]),
        ({"routes": frozenset({"out"}), "residency": "self_hosted"}, [], ["auto", "other"]),
    ],
)
def test_rights(rights: dict[str, object], routes: list[str], policies: list[str]) -> None:
    key = msgspec.structs.replace(KEY, **rights)
    every = [route("in"), route("out", "third_party")]
    assert [one.name for one in every if key.may_name_route(one)] == routes
    assert [name for name in ("auto", "other") if key.may_name_policy(name)] == policies


def test_a_keyring_learns_the_file_and_keeps_what_it_knew_when_that_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = Keyring(path, "secret")
    assert not ring.known
    secret = new_key()
    keyring.write(path, [msgspec.structs.replace(KEY, hash=ring.hash(secret.encode()))])
    assert path.stat().st_mode & 0o077 == 0
    assert ring.find(secret.encode(), now=2.0).id == "key_1"
    assert secret not in path.read_text()
    path.write_text("[{")
    ring.look()
    assert ring.find(secret.encode(), now=2.0).id == "key_1"
    with pytest.raises(Problem) as refused:
        Keyring(path, "another secret").find(secret.encode(), now=2.0)
    assert refused.value.status == 401


def test_expired_revoked_and_rotated_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    ring = Keyring(path, "secret")
    digest = {name: ring.hash(name.encode()) for name in ("expires", "revoked", "new", "old")}
    keyring.write(
        path,
        [
            msgspec.structs.replace(KEY, hash=digest["expires"], expires_at=10.0),
            msgspec.structs.replace(KEY, id="key_2", hash=digest["revoked"], revoked_at=5.0),
            msgspec.structs.replace(KEY, id="key_3", hash=digest["new"], old_hash=digest["old"], old_until=10.0),
        ],
    )

    def code(secret: str, now: float) -> str:
        try:
            return ring.find(secret.encode(), now).id
        except Problem as problem:
            return problem.code

    assert [code(name, 9.0) for name in ("expires", "revoked", "new", "old")] == [
        "key_1",
        "key_revoked",
        "key_3",
        "key_3",
    ]
    assert [code(name, 10.0) for name in ("expires", "new", "old")] == ["key_expired", "key_3", "invalid_api_key"]


def test_what_is_shown_of_a_key_holds_no_hash() -> None:
    assert {"hash", "old_hash"}.isdisjoint(shown(KEY))


def test_equal_secrets_hash_alike_on_every_replica() -> None:
    assert KeyHash("s")(b"k") == KeyHash("s")(b"k") != KeyHash("t")(b"k")


def test_an_order_becomes_a_key() -> None:
    body = {"owner": "alice", "rpm": 5, "day": {"usd": "0.10"}, "month": {"usd": 5, "hard": False}}
    key = KeyOrder.read(json.dumps(body).encode()).key("key_1", "h", 3.0)
    assert key.allowance == Allowance(rpm=5, day=Budget(100_000_000), month=Budget(5_000_000_000, hard=False))
    assert key.allowance.limited
    assert not KEY.allowance.limited


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"owner": ""},
        {"owner": "x" * 49},
        {"owner": "a\nb"},
        {"owner": "а"},  # noqa: RUF001 (a Cyrillic letter)
        {"owner": "a\u202eb"},  # a letter that turns the writing round
        {"owner": "a", "team": "'; drop table keys; --"},
        {"owner": "a", "rpm": 0},
        {"owner": "a", "rpm": True},
        {"owner": "a", "rpm": 1.5},
        {"owner": "a", "rpm": 10**12},
        {"owner": "a", "day": {"usd": -1}},
        {"owner": "a", "day": {"usd": "NaN"}},
        {"owner": "a", "day": {"usd": "Infinity"}},
        {"owner": "a", "day": {"usd": 10**9}},
        {"owner": "a", "day": {"usd": 1, "base_url": "http://x"}},
        {"owner": "a", "residency": "the_moon"},
        {"owner": "a", "hash": "h"},
        {"owner": "a", "expires_at": "tomorrow"},
        [],
    ],
)
def test_orders_that_are_refused(order: object) -> None:
    with pytest.raises(Problem) as refused:
        KeyOrder.read(json.dumps(order).encode()).key("key_1", "h", 3.0)
    assert (refused.value.status, refused.value.code) == (400, "invalid_key")


@given(st.binary(max_size=200))
def test_any_bytes_are_an_order_or_refused(body: bytes) -> None:
    try:
        KeyOrder.read(body)
    except Problem as problem:
        assert problem.status == 400
