"""The `openai` package, unchanged: only its base URL differs."""

import asyncio
import json

import openai
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.upstream import Upstream

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


@pytest.fixture
def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.url + "/v1", api_key="unused", max_retries=0)


def say(gateway: Gateway, text: str) -> list[dict[str, str]]:
    return gateway.messages(text)


def test_whole(client: openai.OpenAI, gateway: Gateway) -> None:
    answer = client.chat.completions.create(model="small", messages=say(gateway, "hi"))  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "hello there"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 7
    assert answer._request_id


def test_streamed_with_and_without_usage(client: openai.OpenAI, gateway: Gateway) -> None:
    plain = client.chat.completions.create(model="small", messages=say(gateway, "hi"), stream=True)  # type: ignore[arg-type]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in plain) == "hello there"
    asked = list(
        client.chat.completions.create(
            model="small",
            messages=say(gateway, "hi"),  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert asked[-1].choices == []
    assert asked[-1].usage is not None


def test_a_streamed_tool_call(client: openai.OpenAI, gateway: Gateway, upstream: Upstream) -> None:
    def call(**part: object) -> bytes:
        return up.event(up.chunk(tool_calls=[{"index": 0, **part}]))

    upstream.behaviour = up.streams(
        call(id="call_1", type="function", function={"name": "weather", "arguments": ""}),
        call(function={"arguments": '{"city": '}),
        call(function={"arguments": '"Oslo"}'}),
        up.event(up.chunk(finish="tool_calls")),
        up.event("[DONE]"),
    )
    arguments, finish = "", None
    chunks = client.chat.completions.create(
        model="small", messages=say(gateway, "weather?"), tools=[WEATHER], stream=True  # type: ignore[arg-type, list-item]
    )  # fmt: skip
    for chunk in chunks:
        for tool_call in chunk.choices[0].delta.tool_calls or []:
            assert tool_call.function is not None
            arguments += tool_call.function.arguments or ""
        finish = chunk.choices[0].finish_reason or finish
    assert (json.loads(arguments), finish) == ({"city": "Oslo"}, "tool_calls")
    assert upstream.received[0].json["tools"] == [WEATHER]


def test_the_model_list_has_routes_first(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["small", "auto", "gpt-4o"]
    assert client.models.retrieve("auto").id == "auto"


def refuse_with(status: int) -> up.Behaviour:
    return up.answers_json({"error": {"message": "no", "type": "x", "code": None}}, status)


async def _hang_up(_: up.Received, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


@pytest.mark.parametrize(
    ("behaviour", "error", "status"),
    [
        (refuse_with(400), openai.BadRequestError, 400),
        (refuse_with(422), openai.UnprocessableEntityError, 422),
        (refuse_with(429), openai.RateLimitError, 429),
        (refuse_with(500), openai.InternalServerError, 502),
        (refuse_with(401), openai.InternalServerError, 502),
        (_hang_up, openai.InternalServerError, 502),
    ],
)
def test_upstream_trouble_raises_the_typed_error(
    client: openai.OpenAI, gateway: Gateway, upstream: Upstream, behaviour: up.Behaviour, error: type, status: int
) -> None:
    upstream.behaviour = behaviour
    with pytest.raises(error) as raised:
        client.chat.completions.create(model="small", messages=say(gateway, "hi"), stream=True)  # type: ignore[call-overload]
    assert raised.value.status_code == status


def test_an_upstream_too_slow_raises_the_typed_error(hasty_gateway: Gateway, upstream: Upstream) -> None:
    async def stall(_: up.Received, __: object) -> None:
        await asyncio.sleep(300)

    upstream.behaviour = stall
    client = openai.OpenAI(base_url=hasty_gateway.url + "/v1", api_key="unused", max_retries=0)
    with pytest.raises(openai.InternalServerError) as raised:
        client.chat.completions.create(model="small", messages=say(hasty_gateway, "hi"), stream=True)  # type: ignore[call-overload]
    assert raised.value.status_code == 504


def test_own_mistakes_raise_the_typed_error(client: openai.OpenAI, gateway: Gateway) -> None:
    with pytest.raises(openai.NotFoundError, match="small"):
        client.chat.completions.create(model="gpt-9", messages=say(gateway, "hi"))  # type: ignore[arg-type]
    with pytest.raises(openai.APIStatusError) as too_large:
        client.chat.completions.create(model="small", messages=say(gateway, "x" * 1_000_001))  # type: ignore[arg-type]
    assert too_large.value.status_code == 413


def test_a_broken_stream_raises_in_its_middle(client: openai.OpenAI, gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = up.streams(up.event(up.chunk("half")), end=False)
    chunks = client.chat.completions.create(model="small", messages=say(gateway, "hi"), stream=True)  # type: ignore[arg-type]
    assert next(chunks).choices[0].delta.content == "half"
    with pytest.raises(openai.APIError, match="broke"):
        next(chunks)


def test_keys_and_unreachable_upstreams(serve: Serve) -> None:
    gateway = serve({"routes": {"small": vllm_route("http://127.0.0.1:9")}}, api_key="sk-right")
    right = openai.OpenAI(base_url=gateway.url + "/v1", api_key="sk-right", max_retries=0)
    wrong = openai.OpenAI(base_url=gateway.url + "/v1", api_key="sk-wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        wrong.models.list()
    with pytest.raises(openai.InternalServerError) as refused:
        right.chat.completions.create(model="small", messages=[{"role": "user", "content": "hi"}])
    assert refused.value.status_code == 503
    assert refused.value.response.headers["retry-after"]


async def test_the_async_client(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(base_url=gateway.url + "/v1", api_key="unused", max_retries=0) as client:
        answer = await client.chat.completions.create(model="auto", messages=say(gateway, "hi"))  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "hello there"
