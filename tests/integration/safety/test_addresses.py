"""Nothing in a request chooses an address: not where it goes, and not what a model server fetches."""

import json
from typing import Any

import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.keys import OWN_KEY, Ask, asking
from tests.fixtures.upstream import Upstream

IMAGE = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def ask(guarded: Gateway) -> Ask:
    return asking(guarded, OWN_KEY)


@pytest.mark.parametrize("name", ["api_base", "base_url", "user_config", "kv_transfer_params", "ec_transfer_params"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_no_field_says_where_a_request_goes(ask: Ask, upstream: Upstream, name: str, path: str) -> None:
    answer = ask(path=path, max_tokens=5, **{name: {"remote_host": "169.254.169.254", "remote_port": 80}})
    assert answer.status_code == 400
    assert name in answer.json()["error"]["message"]
    assert upstream.received == []


@pytest.mark.parametrize(
    "header",
    ["x-portkey-custom-host", "x-forwarded-host", "x-original-url", "x-rewrite-url", "forwarded", "x-api-base"],
)
def test_no_header_says_where_a_request_goes(guarded: Gateway, upstream: Upstream, header: str) -> None:
    answer = guarded.chat(headers={header: "http://127.0.0.1:9/metrics"})
    assert answer.status_code == 200
    assert [(received.path, header in received.headers) for received in upstream.received] == [
        ("/v1/chat/completions", False)
    ]


REFUSED = [
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]/x.png",
    "http://127.0.0.1:9/x.png",
    "http://localhost/x.png",
    "http://[::ffff:127.0.0.1]/x.png",
    "http://2130706433/x.png",
    "http://0x7f.1/x.png",
    "http://10.0.0.1/x.png",
    "http://metadata.google.internal/x.png",
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "ftp://images.example.com/x.png",
    "//images.example.com/x.png",
    "/etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "http://images.example.com@127.0.0.1/x.png",
    "http://127.0.0.1\\@images.example.com/x.png",
    "http://127.0.0.1#@images.example.com/",
    " http://127.0.0.1/x.png",
    "http://127.0.0.1/\tx.png",
    "",
]


OUTSIDE = [
    "https://evil.example/x.png",
    "http://images.example.com.evil.example/x.png",
    "http://evilimages.example.com/x.png",
]


def chat_part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def messages_part(url: str) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "url", "url": url}}


def in_a_tool_result(url: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": "t", "content": [messages_part(url)]}


@pytest.mark.parametrize("url", REFUSED)
def test_an_image_is_not_fetched_from_there(ask: Ask, upstream: Upstream, url: str) -> None:
    answer = ask(messages=[{"role": "user", "content": [chat_part(url)]}])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "address_not_allowed"), answer.text
    assert "data:" in answer.json()["error"]["message"]
    assert upstream.received == []


@pytest.mark.parametrize("url", OUTSIDE)
def test_a_server_of_ours_goes_nowhere_unless_its_route_says_so(ask: Ask, upstream: Upstream, url: str) -> None:
    answer = ask(messages=[{"role": "user", "content": [chat_part(url)]}])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_capability"), answer.text
    assert "linked_media" in answer.json()["error"]["message"]
    assert upstream.received == []


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": [{"image_url": "file:///etc/passwd"}]}]}),
        ("chat/completions", {"messages": [{"role": "user", "content": [{"video_url": {"url": "http://10.1/v"}}]}]}),
        ("chat/completions", {"messages": [{"role": "user", "content": [{"audio_url": {"url": "http://10.1/v"}}]}]}),
        ("messages", {"messages": [{"role": "user", "content": [messages_part("http://10.0.0.1/")]}], "max_tokens": 1}),
        ("messages", {"messages": [{"role": "user", "content": [in_a_tool_result("http://a/")]}], "max_tokens": 1}),
        ("responses", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://a/"}]}]}),
        ("responses", {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "http://a/"}]}]}),
        (
            "responses",
            {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"image_url": "http:a"}]}]},
        ),
        ("embeddings", {"input": "x", "messages": [{"role": "user", "content": [chat_part("http://a/")]}]}),
    ],
)
def test_wherever_a_wire_has_links(guarded: Gateway, upstream: Upstream, path: str, fields: dict[str, Any]) -> None:
    answer = guarded.http.post(f"/v1/{path}", json={"model": "small", **fields})
    assert answer.status_code == 400, answer.text
    assert upstream.received == []


def test_names_that_are_written_with_escapes_are_names(guarded: Gateway, upstream: Upstream) -> None:
    body = json.dumps({"model": "small", "messages": [{"role": "user", "content": [chat_part("http://10.0.0.1/")]}]})
    escaped = body.replace("image_url", "im\\u0061ge\\u005furl")
    answer = guarded.http.post("/v1/chat/completions", content=escaped, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert upstream.received == []


@pytest.mark.parametrize("url", [IMAGE, "DATA:image/png;base64,AA==", "https://images.example.com/x.png?a=b@c"])
def test_data_and_allowed_hosts_are_taken(ask: Ask, upstream: Upstream, url: str) -> None:
    answer = ask(messages=[{"role": "user", "content": [chat_part(url), {"type": "text", "text": url}]}])
    assert answer.status_code == 200, answer.text
    assert len(upstream.received) == 1


def test_text_and_arguments_of_tools_may_speak_of_any_address(ask: Ask, upstream: Upstream) -> None:
    call = {"type": "tool_use", "id": "t", "name": "fetch", "input": {"url": "http://localhost:3000", "image_url": "x"}}
    text = {"type": "text", "text": json.dumps({"image_url": {"url": "file:///etc/passwd"}, "url": "\u001b"})}
    tools = [{"name": "fetch", "input_schema": {"properties": {"url": {"default": "http://localhost"}}}}]
    messages = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [text]}]
    assert ask(path="/v1/messages", messages=messages, tools=tools, max_tokens=5).status_code != 400
    assert upstream.received
