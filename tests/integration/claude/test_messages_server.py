"""The local server is worth as much as it is faithful: Anthropic's own client must find nothing odd about it."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.fixtures.messages_server import DATED, KEY, Fails, MessagesServer, Says, text, thinking, tool_use, usage

ASKED: Any = {"model": DATED, "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
ANSWER = Says(
    (thinking("hm"), text("Grüezi mitenand!"), tool_use("f", a=[1, {"b": "ü"}])), "tool_use", usage(7, 9, read=3)
)


@pytest.fixture
def claude(messages: MessagesServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=messages.url, api_key=KEY, max_retries=0) as client:
        yield client


def test_an_answer_is_the_same_whole_and_streamed(claude: anthropic.Anthropic, messages: MessagesServer) -> None:
    messages.answers = [ANSWER]
    whole = claude.messages.create(**ASKED)
    with claude.messages.stream(**ASKED) as stream:
        streamed = stream.get_final_message()
    assert whole.content == list(ANSWER.blocks) and whole.usage == ANSWER.usage
    assert (streamed.id, streamed.model, streamed.stop_reason) == (whole.id, whole.model, "tool_use")
    assert [block.model_dump(exclude_none=True) for block in streamed.content] == [
        block.model_dump(exclude_none=True) for block in whole.content
    ]
    assert (streamed.usage.input_tokens, streamed.usage.output_tokens, streamed.usage.cache_read_input_tokens) == (
        7,
        9,
        3,
    )


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("invalid_request_error", anthropic.BadRequestError),
        ("permission_error", anthropic.PermissionDeniedError),
        ("rate_limit_error", anthropic.RateLimitError),
        ("api_error", anthropic.InternalServerError),
        ("overloaded_error", anthropic.InternalServerError),
    ],
)
def test_errors(
    claude: anthropic.Anthropic, messages: MessagesServer, kind: str, error: type[anthropic.APIStatusError]
) -> None:
    messages.answers = [Fails(kind, "no")]
    with pytest.raises(error, match="no") as caught:
        claude.messages.create(**ASKED)
    assert caught.value.request_id == "req_011"


def test_an_error_in_the_middle_of_a_stream(claude: anthropic.Anthropic, messages: MessagesServer) -> None:
    messages.answers = [Says(events=4, ending="error")]
    with pytest.raises(anthropic.APIStatusError, match="overloaded"), claude.messages.stream(**ASKED) as stream:
        stream.get_final_message()


def test_a_wrong_key_and_an_unknown_field(claude: anthropic.Anthropic, messages: MessagesServer) -> None:
    with pytest.raises(anthropic.AuthenticationError):
        claude.with_options(api_key="wrong").messages.create(**ASKED)
    with pytest.raises(anthropic.BadRequestError, match="n: Extra inputs are not permitted"):
        claude.messages.create(**ASKED, extra_body={"n": 2})


def test_the_list_of_models(claude: anthropic.Anthropic) -> None:
    assert DATED in {model.id for model in claude.models.list(limit=1000)}
    assert claude.models.retrieve(DATED).id == DATED
