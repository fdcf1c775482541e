"""The Messages wire through Anthropic's own package, against a server that is faithful to it."""

from collections.abc import Iterator

import pytest

from backends.usage import Usage
from evaluator.replaying.client import CallFailed, Client, Refused, Sampling
from tests.fixtures.messages_server import KEY, MODEL, Fails, MessagesServer, Says, text, thinking, usage


@pytest.fixture(scope="module")
def running() -> Iterator[MessagesServer]:
    yield from MessagesServer().running()


@pytest.fixture
def server(running: MessagesServer) -> MessagesServer:
    running.answers = [Says()]
    running.received.clear()
    return running


def _client(server: MessagesServer, key: str = KEY) -> Client:
    return Client(f"{server.url}/v1", key, wire="messages")


async def test_a_task_is_asked_and_answered(server: MessagesServer) -> None:
    server.answers = [Says(blocks=(thinking("hm"), text("```python\npass\n```")), usage=usage(7, 3, read=5))]
    async with _client(server) as client:
        answer = await client.ask(MODEL, "python", "def f():\n", Sampling(0.2, 0.95, 512), extra={"x-team": "a"})
        await client.ask(MODEL, "python", "x", Sampling())
    refused, received, following = server.received
    assert refused.body.items() >= {"temperature": 0.2, "top_p": 0.95}.items()
    assert received.body.items() >= {"model": MODEL, "max_tokens": 512, "stream": True, "temperature": 0.2}.items()
    assert "top_p" not in received.body and "top_p" not in following.body, "Claude takes one of the two"
    assert "def f():\n" in received.body["messages"][0]["content"]
    assert received.headers["cache-control"] == "no-store" and received.headers["x-team"] == "a"
    assert received.headers["x-weighbridge-language"] == "python"
    assert (answer.text, answer.finish_reason) == ("```python\npass\n```", "stop")
    assert answer.usage == Usage(12, 3, 5, 0)
    assert answer.ttft_ms is not None and answer.ttft_ms <= answer.total_ms


async def test_what_ran_out_of_tokens_says_so_in_the_words_of_chat(server: MessagesServer) -> None:
    server.answers = [Says(stop_reason="max_tokens")]
    async with _client(server) as client:
        assert (await client.ask(MODEL, "python", "x", Sampling())).finish_reason == "length"


async def test_failures_are_those_of_every_wire(server: MessagesServer) -> None:
    async with _client(server) as client:
        server.answers = [Fails("rate_limit_error", "later", retry_after="7")]
        with pytest.raises(CallFailed, match="429: later") as limited:
            await client.ask(MODEL, "python", "x", Sampling())
        assert limited.value.retryable and limited.value.retry_after_s == 7
        server.answers = [Fails("invalid_request_error", "what?")]
        with pytest.raises(CallFailed, match=r"400: what\?") as invalid:
            await client.ask(MODEL, "python", "x", Sampling())
        assert not invalid.value.retryable
        server.answers = [Fails("not_found_error", "model: x")]
        with pytest.raises(Refused, match="404: model: x"):
            await client.ask(MODEL, "python", "x", Sampling())
    assert len(server.received) == 1 + 3, "the package tried nothing again: retrying is the replay's business"


@pytest.mark.parametrize("ending", ["cut", "closed", "error"])
async def test_a_stream_that_breaks_is_no_answer(server: MessagesServer, ending: str) -> None:
    server.answers = [Says(events=3, ending=ending)]  # type: ignore[arg-type]
    async with _client(server) as client:
        with pytest.raises(CallFailed) as broken:
            await client.ask(MODEL, "python", "x", Sampling())
    assert broken.value.retryable


async def test_nobody_there_is_a_call_that_failed() -> None:
    async with Client("http://127.0.0.1:9/v1", KEY, wire="messages") as client:
        with pytest.raises(CallFailed):
            await client.ask(MODEL, "python", "x", Sampling())
        assert not await client.is_reachable()


def test_a_base_url_without_the_wires_path_is_refused() -> None:
    with pytest.raises(Refused, match="does not end in /v1"):
        Client("http://127.0.0.1:9", KEY, wire="messages")
