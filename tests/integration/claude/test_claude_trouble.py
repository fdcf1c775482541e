"""What goes wrong at the provider, on the way, or at the client: one truthful answer, billed as it was."""

from typing import Any

import openai
import pytest

from tests.fixtures.gateway import Gateway, posted
from tests.fixtures.messages_server import KEY, Ending, Fails, MessagesServer, Says, text, usage
from tests.fixtures.waiting import LONG_S

WORDS = (text("one two three four five six"),)


@pytest.mark.parametrize(
    ("error", "status", "code", "attempts"),
    [
        ("invalid_request_error", 400, "invalid_request_error", 1),
        ("authentication_error", 502, "upstream_error", 1),
        ("permission_error", 502, "upstream_error", 1),
        ("not_found_error", 502, "upstream_error", 1),
        ("rate_limit_error", 429, "rate_limit_error", 3),
        ("api_error", 502, "upstream_error", 3),
        ("overloaded_error", 503, "server_is_overloaded", 3),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_answer(
    gateway: Gateway, messages: MessagesServer, error: str, status: int, code: str, attempts: int, stream: bool
) -> None:
    messages.answers = [Fails(error, "the provider's words")]
    answer = gateway.chat(model="claude", stream=stream)
    said = answer.json()["error"]
    assert (answer.status_code, said["code"]) == (status, code)
    assert len(messages.received) == attempts
    assert (said["message"] == "the provider's words") == (status in (400, 429))
    assert KEY not in answer.text
    assert KEY not in gateway.log.read_text()


def test_the_openai_client_reads_a_rate_limit(
    client: openai.OpenAI, gateway: Gateway, messages: MessagesServer
) -> None:
    messages.answers = [Fails("rate_limit_error", "slow down", retry_after="17")]
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="claude", messages=gateway.messages("hi"))  # type: ignore[arg-type]
    assert caught.value.response.headers["retry-after"] == "17"
    assert len(messages.received) == 1  # nobody waits so long


def test_a_passing_overload_is_retried(gateway: Gateway, messages: MessagesServer) -> None:
    messages.answers = [Fails("overloaded_error"), Says()]
    answer = gateway.chat(model="claude")
    assert answer.json()["choices"][0]["message"]["content"] == "hello there"
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert [(attempt["outcome"], attempt["status"]) for attempt in row["attempts"]] == [("status", 529), ("ok", None)]


def test_an_error_event_before_any_content_is_retried(gateway: Gateway, messages: MessagesServer) -> None:
    messages.answers = [Says(events=2, ending="error"), Says()]
    answer = gateway.chat(model="claude", stream=True)
    assert "hello" in answer.text and answer.text.endswith("data: [DONE]\n\n")
    assert len(messages.received) == 2


@pytest.mark.parametrize("ending", ["error", "cut", "closed", "stalled"])
def test_a_stream_that_breaks_ends_with_an_error_and_is_billed_as_far_as_it_came(
    request: pytest.FixtureRequest, messages: MessagesServer, ending: Ending
) -> None:
    gateway: Gateway = request.getfixturevalue("hasty_gateway" if ending == "stalled" else "gateway")
    messages.answers = [Says(WORDS, usage=usage(1000, 99, read=500), events=6, ending=ending)]
    answer = gateway.chat(model="claude", stream=True, stream_options={"include_usage": True})
    assert "one two" in answer.text
    assert "[DONE]" not in answer.text and '"finish_reason":"' not in answer.text and "prompt_tokens" not in answer.text
    last = answer.text.rstrip().rpartition("\n\n")[2]
    assert last.startswith('data: {"error":{"message":')
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert row["outcome"] == "broken_stream" and row["usage_source"] == "last_seen"
    seen = answer.text.count('"content":"') - 1  # the first one only names the role
    assert row["usage"]["input_tokens"] == 1500 and row["usage"]["output_tokens"] == seen == 3
    assert row["cost_nanousd"] == 1000 * 1_000 + 500 * 100 + seen * 5_000


def test_a_whole_answer_that_breaks_off_is_asked_for_again(gateway: Gateway, messages: MessagesServer) -> None:
    messages.answers = [Says(ending="cut"), Says()]
    assert gateway.chat(model="claude").status_code == 200
    assert len(messages.received) == 2


def test_a_whole_answer_that_never_comes_is_given_up(hasty_gateway: Gateway, messages: MessagesServer) -> None:
    messages.answers = [Says(ending="stalled")]
    answer = hasty_gateway.chat(model="claude")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    assert messages.received[0].gone.wait(LONG_S)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_the_providers_work(gateway: Gateway, messages: MessagesServer, stream: bool) -> None:
    messages.answers = [Says(WORDS, events=6, ending="stalled")]
    body: dict[str, Any] = {"model": "claude", "messages": gateway.messages("hi"), "stream": stream}
    if stream:
        with gateway.http.stream("POST", "/v1/chat/completions", json=body) as answer:
            next(answer.iter_bytes())
    else:
        with posted(gateway, body):
            messages.wait_for(1)
    assert messages.wait_for(1)[0].gone.wait(20)


def test_a_stream_without_a_first_word_is_given_up(hasty_gateway: Gateway, messages: MessagesServer) -> None:
    messages.answers = [Says(events=3, ending="stalled"), Says()]
    answer = hasty_gateway.chat(model="claude", stream=True)
    assert "hello" in answer.text
    assert messages.received[0].gone.wait(LONG_S)


def test_a_provider_that_is_not_there(gateway: Gateway) -> None:
    answer = gateway.chat(model="nowhere")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "upstream_unreachable")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True, "top_logprobs": 3}, "logprobs"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "x"}}, "modalities"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools"),
        ({"tools": [{"type": "mcp", "server_url": "http://127.0.0.1:9"}]}, "tools"),
        ({"web_search_options": {}, "functions": [], "function_call": "auto"}, "function_call"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "messages"),
        ({"reasoning_effort": "enormous"}, None),
    ],
)
def test_what_claude_cannot_be_asked_is_refused_here(
    gateway: Gateway, messages: MessagesServer, fields: dict[str, Any], param: str | None
) -> None:
    answer = gateway.http.post(
        "/v1/chat/completions", json={"model": "claude", "messages": gateway.messages("hi"), **fields}
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert messages.received == []


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "{url}/cat.png"}},
        {"type": "image_url", "image_url": "{url}/cat.png"},
        {"type": "file", "file": {"file_id": "{url}/cat.pdf"}},
        {"type": "file", "file": {"file_data": "{url}/cat.pdf"}},
        {"type": "image", "source": {"type": "url", "url": "{url}/cat.png"}},
        {"type": "document", "source": {"type": "url", "url": "{url}/cat.pdf"}},
    ],
)
@pytest.mark.parametrize("role", ["user", "tool"])
def test_the_gateway_fetches_nothing_that_a_message_points_to(
    gateway: Gateway, messages: MessagesServer, part: dict[str, Any], role: str
) -> None:
    pointed = _filled(part, messages.url)
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": [call]}]
    message = {"role": role, "tool_call_id": "c", "content": [pointed]}
    answer = gateway.http.post(
        "/v1/chat/completions",
        json={"model": "claude", "messages": [*history, message] if role == "tool" else [message]},
    )
    assert answer.status_code == 400, answer.text
    assert messages.received == [] and messages.strangers == 0


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [{"role": "user"}],
        [{"role": "nobody", "content": "hi"}],
        [{"role": "tool", "tool_call_id": "unknown", "content": "hi"}],
        [{"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f"}}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,###"}}]}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:nonsense"}}]}],
    ],
)
def test_malformed_messages_are_the_clients_own_mistake(gateway: Gateway, sent: list[dict[str, Any]]) -> None:
    answer = gateway.http.post("/v1/chat/completions", json={"model": "claude", "messages": sent})
    assert answer.status_code in (200, 400), answer.text  # LiteLLM mends some of them
    assert answer.status_code == 200 or answer.json()["error"]["type"] == "invalid_request_error"


def _filled(part: Any, url: str) -> Any:
    if isinstance(part, dict):
        return {key: _filled(value, url) for key, value in part.items()}
    return part.replace("{url}", url) if isinstance(part, str) else part
