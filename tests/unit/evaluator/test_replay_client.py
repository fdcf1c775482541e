import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from evaluator.replaying.client import Bill, CallFailed, Client, Refused, Sampling, Target, Unreachable
from policies.scorecard import Scorecard
from tests.contract_gateway import ContractGateway, Status

CARD = Scorecard("r", "llama", "a", "s", "h", "python", "2026-03-01T00:00:00+00:00", 1, 1, 1, 1, 0, 0, 1.0)


@pytest.fixture
def gateway() -> Iterator[ContractGateway]:
    with ContractGateway(answer=lambda message: "```python\npass\n```").running() as running:
        yield running


async def test_a_call_is_streamed_uncached_with_the_methods_sampling(gateway: ContractGateway) -> None:
    async with Client(gateway.base_url, "secret") as client:
        answer = await client.ask("llama", "python", "def f():\n", Sampling(0.2, 0.95, 512))
    body, headers = gateway.bodies[0], gateway.headers[0]
    assert (
        body.items() >= {"model": "llama", "temperature": 0.2, "top_p": 0.95, "max_tokens": 512, "stream": True}.items()
    )
    assert body["stream_options"] == {"include_usage": True}
    assert "def f():\n" in body["messages"][0]["content"]
    assert (headers["authorization"], headers["cache-control"]) == ("Bearer secret", "no-store")
    assert headers["x-weighbridge-language"] == "python"
    assert answer.text == "```python\npass\n```"
    assert answer.headers["x-weighbridge-revision"] == "aaaabbbbcccc"
    assert answer.usage is not None and answer.usage.output_tokens == 3


async def test_the_cache_is_used_only_when_asked_for(gateway: ContractGateway) -> None:
    async with Client(gateway.base_url, None, cache="use") as client:
        await client.ask("llama", "python", "x", Sampling())
    assert "cache-control" not in gateway.headers[0]
    assert "authorization" not in gateway.headers[0]


async def test_targets_are_described_as_the_gateway_reports_them(gateway: ContractGateway) -> None:
    async with Client(gateway.base_url, None) as client:
        assert await client.target("llama", "route") == Target("llama", "route", "aaaabbbbcccc", is_gateway=True)
        before = await client.target("auto", "policy")
        gateway.revisions["mixtral"] = "000000000000"
        after = await client.target("auto", "policy")
    assert before.revision != after.revision, "a policy answers with any route, so its revision follows theirs"


async def test_an_endpoint_that_is_no_gateway_is_accepted() -> None:
    with ContractGateway(answer=lambda message: "x", is_gateway=False).running() as plain:
        async with Client(plain.base_url, None) as client:
            assert await client.target("any", "route") == Target("any", "route", "unknown", is_gateway=False)
            assert (await client.ask("any", "python", "p", Sampling())).text == "x"


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("lama", "route", "llama, mixtral, auto"),
        ("auto", "route", "--policy auto"),
        ("llama", "policy", "--route llama"),
    ],
)
async def test_a_wrong_target_is_refused_with_what_to_write(
    gateway: ContractGateway, name: str, kind, told: str
) -> None:  # type: ignore[no-untyped-def]
    async with Client(gateway.base_url, None) as client:
        with pytest.raises(Refused, match=told):
            await client.target(name, kind)


async def test_a_wrong_key_is_told_in_the_servers_words(gateway: ContractGateway) -> None:
    gateway.key = "right"
    async with Client(gateway.base_url, "wrong") as client:
        with pytest.raises(Refused, match="401: wrong key, write the right one"):
            await client.target("llama", "route")
        with pytest.raises(Refused, match="401: wrong key, write the right one"):
            await client.ask("llama", "python", "p", Sampling())


@pytest.mark.parametrize(
    ("code", "retryable"), [(400, False), (413, False), (422, False), (429, True), (500, True), (503, True)]
)
async def test_statuses_tell_whether_trying_again_helps(gateway: ContractGateway, code: int, retryable: bool) -> None:
    gateway.fault = lambda message, before: Status(code)
    async with Client(gateway.base_url, None) as client:
        with pytest.raises(CallFailed, match=f"{code}: the server says {code}") as caught:
            await client.ask("llama", "python", "p", Sampling())
    assert caught.value.retryable is retryable
    assert caught.value.headers["x-weighbridge-request-id"] == "r1"


async def test_404_ends_everything(gateway: ContractGateway) -> None:
    gateway.fault = lambda message, before: Status(404)
    async with Client(gateway.base_url, None) as client:
        with pytest.raises(Refused, match="404: the server says 404"):
            await client.ask("llama", "python", "p", Sampling())


@pytest.mark.parametrize("fault", ["error_event", "cut"])
async def test_a_break_in_mid_stream_is_no_answer(gateway: ContractGateway, fault) -> None:  # type: ignore[no-untyped-def]
    gateway.fault = lambda message, before: fault
    async with Client(gateway.base_url, None) as client:
        with pytest.raises(CallFailed) as caught:
            await client.ask("llama", "python", "p", Sampling())
    assert caught.value.retryable
    assert caught.value.headers["x-weighbridge-route"] == "llama"


async def test_a_whole_answer_is_accepted_though_a_stream_was_asked_for(gateway: ContractGateway) -> None:
    gateway.fault = lambda message, before: "whole"
    async with Client(gateway.base_url, None) as client:
        answer = await client.ask("llama", "python", "p", Sampling())
    assert (answer.text, answer.ttft_ms) == ("```python\npass\n```", None)


async def test_a_call_that_takes_too_long_is_given_up(gateway: ContractGateway) -> None:
    gateway.delay_s = 5
    async with Client(gateway.base_url, None, timeout_s=0.1) as client:
        with pytest.raises(CallFailed) as caught:
            await client.ask("llama", "python", "p", Sampling())
    assert caught.value.retryable


@pytest.mark.parametrize("is_date", [False, True], ids=["seconds", "date"])
async def test_retry_after_is_read_as_seconds_or_date(gateway: ContractGateway, is_date: bool) -> None:
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=700), usegmt=True) if is_date else "700"
    gateway.fault = lambda message, before: Status(429, {"retry-after": value})
    async with Client(gateway.base_url, None) as client:
        with pytest.raises(CallFailed) as caught:
            await client.ask("llama", "python", "p", Sampling())
    assert caught.value.retry_after_s == pytest.approx(700, abs=100 if is_date else 0)


async def test_a_retry_after_that_is_neither_is_ignored(gateway: ContractGateway) -> None:
    gateway.fault = lambda message, before: Status(503, {"retry-after": "soon"})
    async with Client(gateway.base_url, None) as client:
        with pytest.raises(CallFailed) as caught:
            await client.ask("llama", "python", "p", Sampling())
    assert caught.value.retry_after_s is None


async def test_costs_come_from_the_ledger_or_stay_unknown(gateway: ContractGateway) -> None:
    async with Client(gateway.base_url, None) as client:
        assert await client.bill("r1") == Bill(1_000, 1)
        gateway.cost_nanousd = None
        assert await client.bill("r1") is None


async def test_a_gateway_in_trouble_is_not_taken_for_another_kind_of_server(gateway: ContractGateway) -> None:
    gateway.models_status = 503
    async with Client(gateway.base_url, None) as client:
        with pytest.raises(Unreachable, match="503: starting"):
            await client.target("llama", "route")


async def test_nobody_there_is_told_apart_from_a_refusal() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        base_url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        async with Client(base_url, None) as client:
            assert not await client.is_reachable()
            with pytest.raises(Unreachable):
                await client.target("llama", "route")
            with pytest.raises(Unreachable):
                await client.post([CARD])


async def test_scorecards_are_posted(gateway: ContractGateway) -> None:
    async with Client(gateway.base_url, None) as client:
        assert await client.is_reachable()
        await client.post([CARD])
    assert gateway.posted[0]["route"] == "llama"


async def test_an_endpoint_that_takes_no_scorecards_refuses() -> None:
    with ContractGateway(answer=lambda message: "x", is_gateway=False).running() as plain:
        async with Client(plain.base_url, None) as client:
            with pytest.raises(Refused, match="404"):
                await client.post([CARD])
