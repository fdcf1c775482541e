"""Responses that a model server keeps: they are found wherever they are."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.upstream import Behaviour, Received, Upstream, answers_json

KEPT = {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": []}
MISSING = {"error": {"message": "Response with id 'x' not found.", "type": "invalid_request_error"}}


@pytest.fixture(scope="module")
def second_server() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def keeping(
    upstream_server: Upstream, second_server: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """Two replicas of one route, of which one is another route's too."""
    both = vllm_route(upstream_server.url, second_server.url, api_key="upstream-key")
    routes = {"both": both, "one": vllm_route(second_server.url, api_key="upstream-key")}
    gateway = start_gateway(tmp_path_factory.mktemp("keeping"), {"routes": routes})
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def first(upstream: Upstream) -> Upstream:
    upstream.behaviour = answers_json(MISSING, 404)
    return upstream


@pytest.fixture
def second(second_server: Upstream) -> Upstream:
    second_server.behaviour = answers_json(MISSING, 404)
    second_server.received.clear()
    return second_server


def keeps(*kept: str) -> Behaviour:
    """Each as method and path; what was deleted is still said to be there."""

    async def behave(received: Received, writer: asyncio.StreamWriter) -> None:
        known = f"{received.method} {received.path}" in kept
        await answers_json(KEPT if known else MISSING, 200 if known else 404)(received, writer)

    return behave


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
    ],
)
def test_a_response_is_found_on_the_server_that_keeps_it(
    keeping: Gateway, first: Upstream, second: Upstream, method: str, path: str
) -> None:
    second.behaviour = keeps(f"{method} {path}")
    answer = keeping.http.request(method, path)
    assert (answer.status_code, answer.json()) == (200, KEPT)
    asked = [(received.method, received.path) for server in (first, second) for received in server.received]
    assert asked == [(method, path)] * 2  # a server behind two routes is asked once
    assert second.received[0].headers["authorization"] == "Bearer upstream-key"


@pytest.mark.parametrize("name", ["resp_2", "..%2f..%2fmetrics", "a b", "x" * 300])
def test_one_that_nobody_keeps_is_not_found(keeping: Gateway, first: Upstream, second: Upstream, name: str) -> None:
    answer = keeping.http.get(f"/v1/responses/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "invalid_request_error"
    known = "resp_" in name
    assert (len(first.received), len(second.received)) == (known, known)


def test_what_a_server_says_of_its_response_comes_as_it_is(keeping: Gateway, first: Upstream, second: Upstream) -> None:
    said: dict[str, Any] = {"error": {"message": "Cannot cancel a synchronous response."}}
    first.behaviour = answers_json(said, 400)
    answer = keeping.http.post("/v1/responses/resp_1/cancel")
    assert (answer.status_code, answer.json()) == (400, said)


@pytest.mark.parametrize("status", [401, 500])
def test_a_server_that_does_not_say_may_have_it(
    keeping: Gateway, first: Upstream, second: Upstream, status: int
) -> None:
    first.behaviour = answers_json({"error": "secret"}, status)
    answer = keeping.http.get("/v1/responses/resp_1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "upstream_unreachable")
    assert "secret" not in answer.text
    assert answer.headers["retry-after"]
    second.behaviour = keeps("GET /v1/responses/resp_1")
    assert keeping.http.get("/v1/responses/resp_1").status_code == 200


def test_it_comes_as_a_whole(keeping: Gateway, first: Upstream, second: Upstream) -> None:
    assert keeping.http.get("/v1/responses/resp_1?stream=true").status_code == 400
    assert (first.received, second.received) == ([], [])


def test_a_ticket_for_an_answer_is_never_kept(keeping: Gateway, first: Upstream, second: Upstream) -> None:
    first.behaviour = second.behaviour = answers_json({**KEPT, "status": "queued"})
    body = {"model": "both", "input": "hi", "background": True, "store": True}
    for _ in range(2):
        answer = keeping.http.post("/v1/responses", json=body)
        assert (answer.json()["status"], answer.headers["x-weighbridge-cache"]) == ("queued", "bypass")
