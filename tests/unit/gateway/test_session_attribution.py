"""What the ledger calls a session: the client's own id for it, or a hash, and never a text."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pipeline.session import attributed, session_id

SESSION = "7d3b1c0e-52a1-4f0f-9d5e-3f2b8b1c9a10"


def of_user(user_id: Any) -> str | None:
    return session_id([(b"host", b"h")], {"metadata": msgspec.Raw(json.dumps({"user_id": user_id}).encode())})


@pytest.mark.parametrize(
    "user_id",
    [
        f"user_{'ab' * 32}_account__session_{SESSION}",
        f"user_{'ab' * 32}_account_0f2d_session_{SESSION}",
        json.dumps({"device_id": "ab" * 32, "account_uuid": "", "session_id": SESSION}),
        json.dumps({"session_id": SESSION, "device_id": "ab"}, indent=1),
    ],
)
def test_claude_codes_user_names_its_session(user_id: str) -> None:
    assert of_user(user_id) == SESSION


@pytest.mark.parametrize("user_id", [None, 7, "", "someone", "in_session_with a customer", f"_session_{'x' * 129}"])
def test_another_user_names_none(user_id: Any) -> None:
    assert of_user(user_id) is None


@pytest.mark.parametrize("metadata", [b"null", b"[]", b'"_session_x"', b'{"topic": "_session_x"}'])
def test_other_metadata_names_none(metadata: bytes) -> None:
    assert session_id([], {"metadata": msgspec.Raw(metadata)}) is None


def test_what_the_client_says_outright_goes_first() -> None:
    fields = {
        "metadata": msgspec.Raw(b'{"user_id": "u_session_m"}'),
        "prompt_cache_key": msgspec.Raw(b'"key"'),
    }
    assert session_id([(b"session-id", b"s")], fields) == "s"
    assert session_id([], fields) == "key"
    assert session_id([], {**fields, "prompt_cache_key": msgspec.Raw(b"null")}) == "m"


@given(st.text())
def test_an_id_stays_as_it_is_and_anything_else_is_a_hash(session: str) -> None:
    shown = attributed(session)
    assert shown is not None
    assert 0 < len(shown) <= 128
    assert shown.isascii() and shown.isprintable() and " " not in shown
    assert shown == session or shown.startswith("blake2b:")
    assert shown == attributed(session)


def test_a_text_is_never_shown() -> None:
    assert attributed(None) is None
    assert attributed(SESSION) == SESSION
    for text in ("please write a function", "a\x00b", "a\nb", "x" * 129, ""):
        assert str(attributed(text)).startswith("blake2b:")
    assert attributed("a b") != attributed("a c")
