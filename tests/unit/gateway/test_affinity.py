"""Where conversations are placed, without any server: the memory, its bound, and what is left alone."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.backend import Call, WireName
from gateway.fleet.affinity import Affinity
from gateway.pipeline.session import Conversation, conversation_of, session_id

TWO = {"http://a": False, "http://b": False}
WORDS = st.text("abc", min_size=1, max_size=4)


def call(wire: WireName = "chat", session: str | None = None, **body: Any) -> Call:
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in body.items()}
    return Call(wire, fields, stream=False, session=session)


def said(*turns: str, system: str = "be brief") -> Conversation:
    """A chat of these turns, the user's first."""
    roles = ("user", "assistant")
    messages = [{"role": "system", "content": system}]
    messages += [{"role": roles[number % 2], "content": turn} for number, turn in enumerate(turns)]
    found = conversation_of(call(messages=messages))
    assert found is not None
    return found


def place(affinity: Affinity, conversation: Conversation, replicas: dict[str, bool] | None = None) -> str:
    url = affinity.choose(conversation, replicas or TWO)
    affinity.placed(conversation, url)
    return url


@given(turns=st.lists(WORDS, min_size=1, max_size=12), others=st.lists(WORDS, max_size=12, unique=True))
def test_a_growing_conversation_stays_while_others_come(turns: list[str], others: Sequence[str]) -> None:
    affinity = Affinity()
    first = place(affinity, said("mine:" + turns[0]))
    for end in range(2, len(turns) + 1):
        for other in others:
            place(affinity, said(other, "yes", str(end)))
        grown = said("mine:" + turns[0], *turns[1:end])
        assert affinity.choose(grown, TWO) == first
        assert affinity.placed(grown, first) == "prefix"


@given(st.lists(st.tuples(WORDS, WORDS), max_size=30), st.integers(1, 20))
def test_the_memory_never_outgrows_its_bound(conversations: list[tuple[str, str]], most: int) -> None:
    affinity = Affinity(most)
    for first, second in conversations:
        place(affinity, said(first, "ok", second))
        assert len(affinity) <= most


@given(st.lists(WORDS, min_size=1, max_size=60, unique=True), st.integers(2, 5), st.booleans())
def test_new_conversations_are_spread_whatever_they_share(firsts: list[str], count: int, sessions: bool) -> None:
    """All have the same long system prompt; none is where another is only because of that."""
    affinity, replicas = Affinity(), {f"http://{number}": False for number in range(count)}
    places = Counter[str]()
    for first in firsts:
        conversation = conversation_of(call(session=first)) if sessions else said(first, system="long " * 1000)
        assert conversation is not None
        places[place(affinity, conversation, replicas)] += 1
    spread = [places[url] for url in replicas]
    assert max(spread) - min(spread) <= 3  # two, and the second, which may still be the first's sibling


def test_an_overloaded_replica_is_left_and_its_conversation_stays_where_it_went() -> None:
    affinity = Affinity()
    home = place(affinity, said("hello"))
    other = next(url for url in TWO if url != home)
    grown = said("hello", "hi", "more")
    assert affinity.choose(grown, {home: True, other: False}) == other
    assert affinity.placed(grown, other) == "moved"
    again = said("hello", "hi", "more", "ok", "and more")
    assert affinity.choose(again, TWO) == other


def test_where_all_are_overloaded_nothing_moves() -> None:
    affinity = Affinity()
    home = place(affinity, said("hello"))
    assert affinity.choose(said("hello", "hi", "more"), dict.fromkeys(TWO, True)) == home


def test_a_replica_that_is_gone_is_left_and_one_that_returns_is_not_flooded() -> None:
    affinity = Affinity()
    for number in range(50):
        assert place(affinity, said(f"alone {number}"), {"http://a": False}) == "http://a"
    places = [place(affinity, said(f"both {number}")) for number in range(20)]
    assert 8 <= places.count("http://b") <= 13


def test_every_worker_sends_a_new_conversation_to_the_same_home() -> None:
    for number in range(20):
        new = said(f"task {number}")
        later = said(f"task {number}", "done", "go on")
        assert Affinity().choose(new, TWO) == Affinity().choose(later, TWO)


def test_a_prompt_that_many_begin_with_keeps_nobody() -> None:
    affinity = Affinity()
    for number in range(3):
        affinity.placed(said("example", "answer", f"task {number}"), "http://a")
    assert affinity.placed(said("example", "answer", "task 4"), "http://b") == "new"
    assert affinity.placed(said("example", "answer", "task 1", "ok", "more"), "http://a") == "prefix"


def test_a_text_stays_while_most_of_it_does() -> None:
    affinity = Affinity()
    lines = [os.urandom(512).hex() for _ in range(6)]

    def typed(*parts: str) -> Conversation:
        found = conversation_of(call("completions", prompt="".join(parts)))
        assert found is not None
        return found

    home = place(affinity, typed(*lines))
    for edited in range(20):
        assert affinity.placed(typed(*lines[:4], f"{edited}" * 2000), home) == "prefix"
    assert affinity.placed(typed(lines[0], "x" * 4000), home) == "new"


@pytest.mark.parametrize("header", ["X-Claude-Code-Session-Id", "session-id", "thread-id", "x-session-affinity"])
def test_sessions_are_told_by_headers(header: str) -> None:
    assert session_id([(b"host", b"h"), (header.lower().encode(), b"s1")], {}) == "s1"


def test_the_first_header_counts_then_the_bodys_key() -> None:
    fields = {"prompt_cache_key": msgspec.Raw(b'"key"')}
    assert session_id([(b"thread-id", b"t"), (b"session-id", b"s")], fields) == "s"
    assert session_id([(b"session-id", b"")], fields) == "key"
    for none in (b"null", b'""', b"7", b"[]"):
        assert session_id([], {"prompt_cache_key": msgspec.Raw(none)}) is None


def in_session(*turns: str) -> Conversation:
    messages = [{"role": "user", "content": turn} for turn in turns]
    found = conversation_of(call(session="s", messages=messages))
    assert found is not None
    return found


@given(st.lists(st.lists(WORDS, min_size=1, max_size=3), min_size=1, max_size=10))
def test_a_session_stays_whatever_it_says(conversations: list[list[str]]) -> None:
    affinity = Affinity()
    home = place(affinity, in_session("first"))
    for turns in conversations:
        assert affinity.choose(in_session(*turns), TWO) == home
        assert affinity.placed(in_session(*turns), home) == "session"


def test_what_a_session_had_to_send_elsewhere_does_not_take_the_rest_along() -> None:
    affinity = Affinity()
    home = place(affinity, in_session("the agent's own conversation"))
    other = next(url for url in TWO if url != home)
    assert place(affinity, in_session("a helper's"), {home: True, other: False}) == other
    assert affinity.choose(in_session("the agent's own conversation", "goes on"), TWO) == home
    assert affinity.choose(in_session("a helper's", "goes on"), TWO) == other


def test_another_session_with_the_same_words_is_another_conversation() -> None:
    messages = [{"role": "user", "content": "hello"}]
    one, two = (conversation_of(call(session=session, messages=messages)) for session in "ab")
    assert one is not None
    assert two is not None
    assert not set(one.marks) & set(two.marks)


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        ("chat", {"tools": [1], "messages": [{"role": "user"}]}),
        ("messages", {"system": "s", "messages": [{"role": "user"}]}),
        ("responses", {"instructions": "s", "input": [{"role": "user"}]}),
        ("responses", {"input": "x" * 2000}),
        ("completions", {"prompt": "x" * 2000}),
    ],
)
def test_each_wires_prompt_is_found(wire: WireName, body: dict[str, Any]) -> None:
    found = conversation_of(call(wire, **body))
    assert found is not None
    assert conversation_of(call(wire, **body, temperature=1)) == found


@given(
    st.sampled_from(["chat", "messages", "responses", "completions", "embeddings", "count_tokens"]),
    st.dictionaries(
        st.sampled_from(["messages", "input", "prompt", "system", "tools"]),
        st.recursive(
            st.none() | st.integers() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "x"]), inner),
            max_leaves=5,
        ),
    ),
)
def test_no_body_is_an_error_here(wire: WireName, body: dict[str, Any]) -> None:
    found = conversation_of(call(wire, **body))
    if found is not None:
        assert place(Affinity(), found) in TWO


def test_a_very_long_conversation_leaves_the_others_remembered() -> None:
    affinity = Affinity()
    first = said("one")
    place(affinity, first)
    place(affinity, said(*map(str, range(5000))))
    assert affinity.placed(first, "http://a") in ("prefix", "moved")
    assert len(affinity) < 600
