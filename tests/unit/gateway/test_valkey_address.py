"""What a Valkey's URL says."""

import pytest

from gateway.valkey import Command, ValkeyAddress


@pytest.mark.parametrize(
    ("url", "host", "port", "secure"),
    [
        ("redis://h", "h", 6379, False),
        ("valkey://h:1", "h", 1, False),
        ("rediss://[::1]:2", "::1", 2, True),
        ("valkeys://h/0", "h", 6379, True),
    ],
)
def test_where_it_is(url: str, host: str, port: int, secure: bool) -> None:
    assert ValkeyAddress.of(url) == ValkeyAddress(None, host, port, secure, ())


def test_a_unix_socket_has_a_path() -> None:
    assert ValkeyAddress.of("unix:///run/a%20b/v.sock").path == "/run/a b/v.sock"


@pytest.mark.parametrize(
    ("url", "hello"),
    [
        ("redis://:s%40cret@h", [("AUTH", "s@cret")]),
        ("redis://me:secret@h/3", [("AUTH", "me", "secret"), ("SELECT", "3")]),
        ("redis://:@h", [("AUTH", "")]),
        ("redis://me@h", []),
        ("redis://h/0", []),
        ("redis://h/", []),
        ("redis://h?db=4", [("SELECT", "4")]),
        ("unix:///v.sock?db=5", [("SELECT", "5")]),
        ("unix://me:secret@/v.sock?db=0", [("AUTH", "me", "secret")]),
    ],
)
def test_what_a_new_connection_says_first(url: str, hello: list[Command]) -> None:
    assert ValkeyAddress.of(url).hello == tuple(hello)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(ValkeyAddress.of("redis://me:secret@h"))
