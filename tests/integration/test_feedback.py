"""Verdicts on answers, from a client's POST to the online scorecards that `weighbridge feedback` shows."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, start_gateway, vllm_route
from tests.fixtures.keys import OWN_KEY, Admin, asking, with_keys
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

NO_CACHE = {"cache-control": "no-store"}


@pytest.fixture(scope="module")
def shared_gateway(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = with_keys(upstream_server.url)
    config["routes"] |= {name: vllm_route(upstream_server.url) for name in ("quiet", "judged", "shown", "failing")}
    gateway = start_gateway(tmp_path_factory.mktemp("feedback"), config, api_key=OWN_KEY)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def judged(shared_gateway: Gateway, upstream: Upstream, request: pytest.FixtureRequest) -> Gateway:
    shared_gateway.topic = request.node.name
    return shared_gateway


def answered(gateway: Gateway, said: str = "hi", **options: Any) -> str:
    answer = gateway.chat(said, **options)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-weighbridge-request-id"])


def judge(gateway: Gateway, request_id: str, verdict: str, **fields: Any) -> httpx.Response:
    return gateway.http.post("/v1/feedback", json={"request_id": request_id, "verdict": verdict, **fields})


def cards_of(gateway: Gateway, route: str) -> dict[str, dict[str, Any]]:
    """The route's online scorecards, by language."""
    found = gateway.http.get("/v1/feedback").json()["scorecards"]
    return {card["language"]: card for card in found if card["route"] == route}


def test_verdicts_make_online_scorecards(judged: Gateway) -> None:
    python = {**NO_CACHE, "x-weighbridge-language": "py"}
    for number, verdict in enumerate(("accepted", "accepted", "edited", "rejected")):
        taken = judge(judged, answered(judged, f"{number}", model="judged", headers=python), verdict)
        assert taken.status_code == 201, taken.text
    rust = answered(judged, "in Rust", model="judged", headers=NO_CACHE)
    for verdict in ("rejected", "accepted"):  # the last one counts
        assert judge(judged, rust, verdict, language="RS").json()["language"] == "rust"
    cards = cards_of(judged, "judged")
    counts = {language: [card[name] for name in ("accepted", "edited", "rejected")] for language, card in cards.items()}
    assert counts == {"all": [3, 1, 1], "python": [2, 1, 1], "rust": [1, 0, 0]}
    whole = cards["all"]
    assert (whole["origin"], whole["judged"], whole["acceptance_rate"], whole["confidence"]) == ("online", 5, 0.6, 0.95)
    assert whole["lower"] < 0.6 < whole["upper"]
    model = judged.http.get("/v1/models/judged").json()
    assert whole["revision"] == model["weighbridge"]["revision"]
    assert judged.http.get("/v1/scorecards").json()["scorecards"] == []  # nothing that a policy goes by


def test_an_answer_that_was_given_before_is_not_counted_again(judged: Gateway) -> None:
    assert judge(judged, answered(judged, model="quiet"), "accepted").status_code == 201
    answers: list[httpx.Response] = []

    def is_hit() -> bool:
        answers.append(judged.chat("hi", model="quiet"))
        return answers[-1].headers["x-weighbridge-cache"] == "hit"

    eventually(is_hit)
    assert judge(judged, answers[-1].headers["x-weighbridge-request-id"], "accepted").status_code == 201
    whole = cards_of(judged, "quiet")["all"]
    assert (whole["judged"], whole["accepted"], whole["again"]) == (1, 1, 1)


@pytest.mark.parametrize("request_id", ["0" * 32, "nobody's", "x" * 64])
def test_an_unknown_request_is_not_found(judged: Gateway, request_id: str) -> None:
    answer = judge(judged, request_id, "accepted")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == ("unknown_request", "request_id")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"request_id": "x"}',
        b'{"request_id": "x", "verdict": "loved"}',
        b'{"request_id": "", "verdict": "accepted"}',
        b'{"request_id": "x", "verdict": "accepted", "language": "klingon"}',
        b'{"request_id": "x", "verdict": "accepted", "comment": "what somebody wrote"}',
        b'{"request_id": "\xff", "verdict": "accepted"}',
    ],
)
def test_what_is_no_verdict_is_refused(judged: Gateway, body: bytes) -> None:
    answer = judged.http.post("/v1/feedback", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_feedback")
    assert "somebody" not in answer.text


def test_a_request_without_an_answer_cannot_be_judged(judged: Gateway, upstream: Upstream) -> None:
    upstream.behaviour = up.answers_json({}, 400)
    failed = judged.chat("hi", model="failing", headers=NO_CACHE)
    request_id = failed.headers["x-weighbridge-request-id"]
    judged.ledger(request_id)
    answer = judge(judged, request_id, "rejected")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_answered")
    assert cards_of(judged, "failing") == {}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_gateways_key_is_needed(judged: Gateway, method: str) -> None:
    answer = httpx.request(method, f"{judged.url}/v1/feedback", json={}, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


def test_a_virtual_key_judges_what_its_tenant_asked(judged: Gateway) -> None:
    alice, bob = (Admin(judged).create(owner)["key"] for owner in ("alice", "bob"))
    request_id = asking(judged, alice)("for alice").headers["x-weighbridge-request-id"]
    statuses = {}
    for name, key in (("bob", bob), ("alice", alice)):
        with httpx.Client(base_url=judged.url, headers={"authorization": f"Bearer {key}"}, trust_env=False) as http:
            given = http.post("/v1/feedback", json={"request_id": request_id, "verdict": "accepted"}, timeout=60)
            seen = http.get("/v1/feedback", timeout=60).json()["scorecards"]
            statuses[name] = (given.status_code, [card["judged"] for card in seen])
    assert statuses == {"bob": (404, []), "alice": (201, [1])}
    assert cards_of(judged, "small")["all"]["judged"] == 1  # everybody's, for the gateway's own key


def shown(gateway: Gateway, *options: str) -> str:
    env = {**os.environ, "WEIGHBRIDGE_API_KEY": OWN_KEY}
    command = [str(WEIGHBRIDGE), "feedback", "--base-url", f"{gateway.url}/v1", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env, timeout=120).stdout


def test_the_command_shows_them(judged: Gateway) -> None:
    judge(judged, answered(judged, model="shown"), "accepted", language="go")
    lines = [line.split() for line in shown(judged).splitlines()]
    assert lines[0][:3] == ["route", "revision", "language"]
    rows = [line for line in lines if line[0] == "shown"]
    assert [row[2:8] for row in rows] == [[language, "1", "1", "0", "0", "1.000"] for language in ("all", "go")]
    printed = json.loads(shown(judged, "--json"))["scorecards"]
    assert [card["language"] for card in printed if card["route"] == "shown"] == ["all", "go"]
