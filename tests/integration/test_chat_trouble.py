"""What a client is told when something is wrong: its own mistake, or an upstream's."""

import asyncio
import json

import httpx
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import LONG_S

NO_UTF8 = b'{"model": "small", "messages": [{"role": "user", "content": "\xff"}]}'


def error_of(answer: httpx.Response) -> dict[str, str]:
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return dict(error)


def test_an_unknown_model_is_404_and_lists_what_exists(gateway: Gateway) -> None:
    answer = gateway.chat("hi", model="gpt-9")
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "model_not_found"
    for name in ("small", "auto", "gpt-4o"):
        assert name in error_of(answer)["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"model": 3}',
        b'{"messages": []}',
        b"",
        b"[" * 100_000,
        b'{"model":"x",}',
        b"\xff",
        NO_UTF8,
    ],
)
def test_a_body_that_is_not_a_request_is_400(gateway: Gateway, body: bytes) -> None:
    answer = gateway.http.post("/v1/chat/completions", content=body)
    assert answer.status_code == 400
    assert error_of(answer)["type"] == "invalid_request_error"


def test_a_body_too_large_is_413_announced_or_not(gateway: Gateway, upstream: Upstream) -> None:
    assert gateway.http.post("/v1/chat/completions", content=b" " * 1_000_001).status_code == 413

    def unannounced() -> "list[bytes]":
        return [b" " * 100_000] * 11

    assert gateway.http.post("/v1/chat/completions", content=iter(unannounced())).status_code == 413
    assert upstream.received == []


def test_unknown_paths_and_methods_answer_in_the_same_shape(gateway: Gateway) -> None:
    assert error_of(gateway.http.get("/v1/nothing"))["code"] == "not_found"
    assert error_of(gateway.http.get("/v1/chat/completions"))["code"] == "method_not_allowed"


def test_the_upstreams_word_on_the_clients_mistake_passes_as_it_came(gateway: Gateway, upstream: Upstream) -> None:
    said = {"error": {"message": "temperature must be non-negative", "type": "BadRequestError", "code": 400}}
    upstream.behaviour = up.answers_json(said, 400)
    answer = gateway.chat("hi", temperature=-1)
    assert (answer.status_code, answer.json()) == (400, said)
    assert len(upstream.received) == 1


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("status", [400, 500])
def test_an_upstreams_error_says_which_route_it_is_from(
    gateway: Gateway, upstream: Upstream, path: str, status: int
) -> None:
    upstream.behaviour = up.answers_json({"error": {"message": "no"}}, status)
    body = {"model": "auto", "messages": gateway.messages("hi"), "max_tokens": 9}
    answer = gateway.http.post(path, json=body)
    assert answer.status_code == (status if status < 500 else 502)
    assert answer.headers["x-weighbridge-route"] == "small"
    assert answer.headers["x-request-id"] == answer.headers["x-weighbridge-request-id"]
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["route"], row["status"]) == ("small", answer.status_code)
    unknown = gateway.http.post(path, json={**body, "model": "nobody"})
    assert (unknown.status_code, "x-weighbridge-route" in unknown.headers) == (404, False)


def test_an_upstreams_rate_limit_keeps_its_retry_after(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = up.answers_json({"error": {"message": "slow down"}}, 429, "retry-after: 7\r\n")
    answer = gateway.chat("hi")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_an_upstream_failure_is_502_and_costs_nothing(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = up.answers_json({"error": "boom"}, 500)
    answer = gateway.chat("hi")
    assert (answer.status_code, error_of(answer)["code"]) == (502, "upstream_error")
    assert "retry-after" in answer.headers


@pytest.mark.parametrize("stream", [True, False])
def test_an_upstream_that_breaks_before_it_begins_is_502(gateway: Gateway, upstream: Upstream, stream: bool) -> None:
    async def hang_up(_: up.Received, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    upstream.behaviour = hang_up
    answer = gateway.chat("hi", stream=stream)
    assert (answer.status_code, error_of(answer)["code"]) == (502, "upstream_broken")
    assert "retry-after" in answer.headers


def test_truncated_json_is_502(gateway: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = up.answers_json(b'{"choices": [{"mess')
    assert gateway.chat("hi").status_code == 502
    upstream.behaviour = up.says("better")
    assert gateway.chat("hi").headers["x-weighbridge-cache"] == "miss"


def test_an_upstream_too_slow_to_begin_is_504(hasty_gateway: Gateway, upstream: Upstream) -> None:
    async def stall(_: up.Received, __: object) -> None:
        await asyncio.sleep(300)

    upstream.behaviour = stall
    answer = hasty_gateway.chat("hi", stream=True)
    assert (answer.status_code, error_of(answer)["code"]) == (504, "upstream_timeout")
    assert upstream.received[0].gone.wait(LONG_S)


@pytest.mark.parametrize(
    ("parts", "end"),
    [
        ([up.event(up.chunk("half"))], False),
        ([up.event(up.chunk("half"))], True),
        ([up.event(up.chunk("half")), b"data: {not json\n\n"], True),
        ([up.event(up.chunk("half")), up.event({"error": {"message": "out of memory"}})], True),
    ],
    ids=["cut", "no finish reason", "malformed", "error event"],
)
def test_a_stream_that_breaks_ends_in_an_error_event_and_is_not_kept(
    gateway: Gateway, upstream: Upstream, parts: list[bytes], end: bool
) -> None:
    upstream.behaviour = up.streams(*parts, end=end)
    answer = gateway.chat("hi", stream=True)
    assert answer.status_code == 200
    last = [line[6:] for line in answer.text.split("\n\n") if line.startswith("data: ")][-1]
    assert json.loads(last)["error"]["code"].startswith("upstream_")
    assert "[DONE]" not in answer.text
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["usage_source"]) == ("broken_stream", "estimated")
    assert row["usage"]["output_tokens"] == 1
    upstream.behaviour = up.says("better")
    assert gateway.chat("hi", stream=True).headers["x-weighbridge-cache"] == "miss"


def test_a_stream_that_stalls_in_the_middle_ends_at_the_gap_limit(hasty_gateway: Gateway, upstream: Upstream) -> None:
    async def stall(_: up.Received, writer: asyncio.StreamWriter) -> None:
        writer.write(up.SSE_HEAD)
        await up.write_chunk(writer, up.event(up.chunk("half")))
        await asyncio.sleep(300)

    upstream.behaviour = stall
    assert '"upstream_timeout"' in hasty_gateway.chat("hi", stream=True).text


def test_refused_upstreams_fall_through_to_one_that_serves_or_end_in_503(serve: Serve, upstream: Upstream) -> None:
    nobody = "http://127.0.0.1:9"
    routes = {"gone": vllm_route(nobody), "half": vllm_route(nobody, upstream.url), "small": vllm_route(upstream.url)}
    gateway = serve({"routes": routes, "policies": {"auto": {}}})
    answer = gateway.chat("hi", model="gone")
    assert (answer.status_code, error_of(answer)["code"]) == (503, "upstream_unreachable")
    assert int(answer.headers["retry-after"]) >= 1
    assert gateway.chat("hi", model="half").status_code == 200
    names = [entry["id"] for entry in gateway.http.get("/v1/models").json()["data"]]
    assert names == ["half", "small", "gone", "auto"]
    assert gateway.chat("hi", model="auto").headers["x-weighbridge-route"] in ("half", "small")


def test_a_policy_that_nothing_qualifies_for_says_why(serve: Serve, upstream: Upstream) -> None:
    policies = {"auto": {"require": {"pass_at_1": {"suite": "humaneval+", "at_least": 0.5}}}}
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}, "policies": policies})
    answer = gateway.chat("hi", model="auto")
    assert (answer.status_code, error_of(answer)["code"]) == (503, "no_route_qualifies")
    assert "pass_at_1" in error_of(answer)["message"]
