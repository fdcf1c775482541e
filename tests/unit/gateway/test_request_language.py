import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.request_language import language_of
from policies.languages import ALIASES, EXTENSIONS, canonical

FENCED_RUST = "Why does it not compile?\n```rust\nfn main() {}\n```\n"


def raw(body: bytes) -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(body, type=dict[str, msgspec.Raw])


def language(fields: dict[str, Any]) -> str | None:
    return language_of(raw(json.dumps(fields).encode()))


def said(*turns: str, **more: Any) -> dict[str, Any]:
    return {**more, "messages": [{"role": "user", "content": turn} for turn in turns]}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        (said("hello"), None),
        (said(FENCED_RUST), "rust"),
        (said("```c++\nint x;\n```"), "cpp"),
        (said("```C#\nclass A {}\n```"), "csharp"),
        (said("```sh\ncargo test\n```"), "bash"),
        (said("```sh\ncargo test\n```\nfails in src/lib.rs"), "rust"),
        (said("```json\n{}\n```"), None),
        (said("```\nplain\n```\ncode"), None),
        (said("rename the class in app/models/user.rb"), "ruby"),
        (said("`payroll.cob`: add a paragraph"), "cobol"),
        (said("see solver.f90, please"), "fortran"),
        (said("self.c = self.go(1); x.rs()"), None),
        (said("Write a function in Python that adds two numbers."), "python"),
        (said("Write it in Go."), "go"),
        (said("Go ahead and write it."), None),
        (said("Is JavaScript like Java?"), None),  # two, told equally well
        (said("Is Java verbose?"), "java"),
        (said("Port it to C++."), "cpp"),
        (said("a malloc in C"), "c"),
        (said("hello", system="You are an expert of COBOL."), "cobol"),
        (said("```go\nx\n```", system="You are an expert of COBOL."), "go"),
        ({"prompt": "# main.py\n\ndef add("}, "python"),
        ({"input": "```ts\nlet x\n```", "instructions": "Speak Rust."}, "typescript"),
        ({"input": [], "instructions": "Speak Rust."}, "rust"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": '{"path": "src/a.lua"}'}}]}]},
            "lua",
        ),
        ({"messages": [{"content": [{"type": "tool_use", "input": {"file_path": "/x/Main.java"}}]}]}, "java"),
    ],
)
def test_a_requests_text_tells_its_language(fields: dict[str, Any], expected: str | None) -> None:
    assert language(fields) == expected


def test_only_both_ends_of_a_long_prompt_count() -> None:
    padding = "x" * 40_000
    assert language(said(FENCED_RUST, padding)) == language(said(padding, FENCED_RUST)) == "rust"
    assert language(said(padding, FENCED_RUST, padding)) is None


@given(st.binary(max_size=200), st.sampled_from(["messages", "input", "prompt", "system", "instructions"]))
def test_wild_bytes_never_raise(text: bytes, name: str) -> None:
    found = language_of({name: msgspec.Raw(text)})
    assert found is None or found in set(ALIASES.values())


pieces = st.sampled_from(
    ["```", ".", "py", "rust", "C++", " in ", "Go", "\\", '"', "\n", "#", "é", "\ud7ff", "f90", "("]
)


@given(st.lists(pieces, max_size=60).map("".join))
def test_wild_texts_never_raise_and_are_always_told_alike(text: str) -> None:
    found = language(said(text))
    assert found == language(said(text))
    assert found is None or found in set(ALIASES.values())


@given(st.sampled_from([".", "```", ".cppx", "```py", " C", "Go "]), st.integers(10_000, 100_000), st.text(max_size=50))
def test_what_lies_between_the_ends_changes_nothing(filler: str, size: int, middle: str) -> None:
    end = filler * (16_384 // len(filler) + 1)
    between = "x" * size
    assert language_of({"prompt": msgspec.Raw((end + between + end).encode())}) == language_of(
        {"prompt": msgspec.Raw((end + between + middle + between + end).encode())}
    )


def test_each_language_has_one_name() -> None:
    assert len(set(ALIASES.values())) == 16
    assert all(canonical(language) == language for language in ALIASES.values())
    assert set(EXTENSIONS) <= set(ALIASES)
    assert (canonical(" C++ "), canonical("Haskell")) == ("cpp", "haskell")
