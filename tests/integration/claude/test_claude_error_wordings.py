"""Claude Code goes by the words of Anthropic's errors (it compacts, gives room, mends pairs): none may be lost."""

import json

import httpx
import pytest

from tests.fixtures.gateway import Gateway
from tests.fixtures.messages_server import Fails, MessagesServer, Says, text

UNPAIRED = (
    "messages.2: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_01. Each `tool_use`"
    " block must have a corresponding `tool_result` block in the next message."
)
WORDS = [
    (400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
    (
        *(400, "invalid_request_error"),
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or"
        " `max_tokens` and try again",
    ),
    (400, "invalid_request_error", UNPAIRED),
    (400, "invalid_request_error", "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: x"),
    (413, "request_too_large", "Request exceeds the maximum size"),
    (429, "rate_limit_error", "This request would exceed your account's rate limit. Please try again later."),
    (529, "overloaded_error", "Overloaded"),
]


def asked(gateway: Gateway, path: str, stream: bool) -> httpx.Response:
    body = {"model": "claude", "max_tokens": 9, "messages": gateway.messages("hi"), "stream": stream}
    return gateway.http.post(path, json=body)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind", "words"), WORDS, ids=[words[:20] for *_, words in WORDS])
def test_an_error_comes_word_for_word(
    gateway: Gateway, messages: MessagesServer, status: int, kind: str, words: str, stream: bool
) -> None:
    messages.answers = [Fails(kind, words)]
    answer = asked(gateway, "/v1/messages?beta=true", stream)
    assert answer.status_code == status
    assert answer.json() == {"type": "error", "error": {"type": kind, "message": words}, "request_id": "req_011"}


def test_one_in_the_middle_of_a_stream_comes_as_the_provider_sent_it(
    gateway: Gateway, messages: MessagesServer
) -> None:
    messages.answers = [Says((text("one two three four five six"),), events=6, ending="error")]
    answer = asked(gateway, "/v1/messages", stream=True)
    last = answer.text.rstrip("\n").rpartition("\n\n")[2]
    assert last.startswith("event: error\n")
    error = json.loads(last.rpartition("data: ")[2])["error"]
    assert error == {"type": "overloaded_error", "message": "it happened in the middle"}
