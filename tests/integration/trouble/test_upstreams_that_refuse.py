"""Rows "429 with Retry-After" and "500 / 529; refused; DNS failure": elsewhere, or the client is told; billed 0."""

import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway
from tests.fixtures.spoken import CHAT, MESSAGES, Spoken
from tests.fixtures.upstream import Upstream

LIMITED = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}


def limits(seconds: int) -> up.Behaviour:
    return up.answers_json(LIMITED, 429, f"retry-after: {seconds}\r\n")


@pytest.mark.parametrize("stream", [False, True])
def test_429_goes_to_another_replica_and_leaves_the_first_alone(
    troubled: Gateway, upstream: Upstream, second: Upstream, wire: Spoken, stream: bool
) -> None:
    model = f"pair-{wire.name}"
    upstream.behaviour, second.behaviour = limits(40), wire.says(2)
    before = len(upstream.received)
    for number in range(3):
        answer = wire.ask(troubled, f"{number}", stream=stream, model=model)
        assert answer.status_code == 200
        row = troubled.ledger(answer.headers["x-weighbridge-request-id"])
        assert row["attempts"][-1]["outcome"] == "ok"
        assert row["cost_nanousd"] == 7 * 1000 + 2 * 2000
        assert [attempt["cost_nanousd"] for attempt in row["attempts"][:-1]] == [0] * (len(row["attempts"]) - 1)
    assert len(upstream.received) - before <= 1  # once at most, then it is left alone


def test_429_goes_to_another_route_and_the_next_request_goes_there_at_once(
    troubled: Gateway, upstream: Upstream, second: Upstream, wire: Spoken
) -> None:
    upstream.behaviour, second.behaviour = limits(40), wire.says(2)
    policy = f"own-{wire.name}-or-spare"
    for number in range(2):
        answer = wire.ask(troubled, f"{number}", stream=True, model=policy)
        assert (answer.status_code, answer.headers["x-weighbridge-route"]) == (200, "spare")
    assert len(upstream.received) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_429_everywhere_is_429_with_the_shortest_wait(
    troubled: Gateway, upstream: Upstream, second: Upstream, wire: Spoken, stream: bool
) -> None:
    upstream.behaviour, second.behaviour = limits(40), limits(9)
    answer = wire.ask(troubled, "hi", stream=stream, model=f"all-{wire.name}")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "9")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    row = troubled.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["status"], row["cost_nanousd"], row["usage_source"]) == (429, 0, "unknown")
    assert [attempt["status"] for attempt in row["attempts"]] == [429, 429]


FAILURES = {
    500: {CHAT.path: (502, "upstream_error"), MESSAGES.path: (502, "api_error")},
    529: {CHAT.path: (503, "upstream_error"), MESSAGES.path: (529, "overloaded_error")},
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", FAILURES)
def test_an_upstream_that_fails_is_tried_again_and_then_the_client_is_told(
    troubled: Gateway, upstream: Upstream, wire: Spoken, status: int, stream: bool
) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    upstream.behaviour = up.answers_json(overloaded if status == 529 else {"error": "boom"}, status)
    answer = wire.ask(troubled, "hi", stream=stream, model="one")
    told, kind = FAILURES[status][wire.path]
    assert (answer.status_code, wire.error(answer)["type"]) == (told, kind)
    assert int(answer.headers["retry-after"]) >= 1
    assert len(upstream.received) == 3
    row = troubled.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["status"], row["cost_nanousd"], row["usage_source"]) == (status + 2 * (status == 500), 0, "unknown")
    assert [(each["outcome"], each["status"], each["cost_nanousd"]) for each in row["attempts"]] == [
        ("status", status, 0)
    ] * 3
    upstream.behaviour = wire.says()
    assert wire.ask(troubled, "hi", stream=stream, model="one").headers["x-weighbridge-cache"] == "miss"


@pytest.mark.parametrize("model", ["refuses", "nowhere"])
def test_an_upstream_that_is_not_there_is_503(troubled: Gateway, wire: Spoken, model: str) -> None:
    """Nobody listens, or its name is not known."""
    answer = wire.ask(troubled, "hi", stream=True, model=model)
    assert answer.status_code == 503
    assert wire.error(answer)["type"] == ("upstream_error" if wire is CHAT else "overloaded_error")
    assert int(answer.headers["retry-after"]) >= 1
    row = troubled.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["status"], row["cost_nanousd"]) == ("upstream_unreachable", 503, 0)
    assert {attempt["outcome"] for attempt in row["attempts"]} == {"refused"}


@pytest.mark.parametrize("trouble", [500, 529, "refuses", "nowhere"])
def test_the_next_route_answers_and_is_alone_billed(
    troubled: Gateway, upstream: Upstream, second: Upstream, wire: Spoken, trouble: int | str
) -> None:
    if isinstance(trouble, int):
        upstream.behaviour = up.answers_json({"error": "boom"}, trouble)
    second.behaviour = wire.says(2)
    answer = wire.ask(troubled, "hi", stream=True, model=f"{trouble if isinstance(trouble, str) else 'one'}-or-spare")
    assert (answer.status_code, answer.headers["x-weighbridge-route"]) == (200, "spare")
    row = troubled.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["cost_nanousd"], row["attempts"][-1]["route"]) == (7 * 1000 + 2 * 2000, "spare")
