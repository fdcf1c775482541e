import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.request_needs import needs_of

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}


def needs(fields: dict[str, Any], **style: Any) -> set[str]:
    body = json.dumps(fields, **style).encode()
    return set(needs_of(msgspec.json.decode(body, type=dict[str, msgspec.Raw]), body))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, set()),
        ({"tools": [{"type": "function"}]}, {"tools"}),
        ({"functions": [{"name": "f"}]}, {"tools"}),
        ({"tools": []}, set()),
        ({"tools": None}, set()),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, {"vision"}),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}]}, {"vision"}),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, {"vision"}),
        ({"messages": [{"role": "user", "content": json.dumps(IMAGE)}]}, set()),
        ({"response_format": SCHEMA}, {"json_schema"}),
        ({"response_format": {"type": "json_object"}}, set()),
        ({"text": {"format": {"type": "json_schema"}}}, {"json_schema"}),
        ({"structured_outputs": {"json": {}}}, {"json_schema"}),
        ({"guided_json": {"type": "object"}}, {"json_schema"}),
        ({"logprobs": True}, {"logprobs"}),
        ({"logprobs": 0}, {"logprobs"}),
        ({"logprobs": False, "top_logprobs": None}, set()),
        ({"top_logprobs": 3}, {"logprobs"}),
        ({"suffix": "\n"}, {"fill_in_the_middle"}),
        ({"suffix": ""}, set()),
        ({"tools": [{}], "suffix": "x", "logprobs": 1}, {"tools", "fill_in_the_middle", "logprobs"}),
    ],
)
def test_fields_tell_what_a_request_needs(fields: dict[str, Any], wanted: set[str]) -> None:
    assert needs(fields) == needs(fields, separators=(",", ":")) == wanted


texts = st.text() | st.sampled_from(['"type": "image"', '"tools"', "json_schema", '\\"type\\":\\"image_url\\"'])


@given(st.dictionaries(st.sampled_from(["model", "messages", "prompt", "user", "input"]), texts | st.lists(texts)))
def test_text_never_asks_for_anything(fields: dict[str, Any]) -> None:
    assert needs(fields) == set()


wild = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.sampled_from(["tools", "logprobs", "suffix", "response_format", "text", "messages"]), wild))
def test_wild_fields_never_raise(fields: dict[str, Any]) -> None:
    assert needs(fields) <= {"tools", "logprobs", "fill_in_the_middle", "json_schema", "vision"}
