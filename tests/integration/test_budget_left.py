"""Policies that spare a key's budget, on a running gateway."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.gateway import Gateway, start_gateway
from tests.fixtures.keys import OWN_KEY, Admin, Ask, asking, with_keys
from tests.fixtures.upstream import Upstream, says
from tests.fixtures.waiting import eventually

POLICIES = {
    "sparing": {"require": {"budget_left": {"share": 0.5, "routes": ["away"]}}},
    "strict": {"require": {"budget_left": {"usd": "0.5"}}},
    "lenient": {"require": {"budget_left": 0.5}, "otherwise": "cheapest"},
}


@pytest.fixture(scope="module")
def sparing_gateway(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = with_keys(upstream_server.url, policies=POLICIES, aliases={"gpt-4o": "sparing"})
    gateway = start_gateway(tmp_path_factory.mktemp("sparing"), config, api_key=OWN_KEY)
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def sparing(sparing_gateway: Gateway, upstream: Upstream, request: pytest.FixtureRequest) -> Gateway:
    sparing_gateway.topic = f"{request.node.name}: "
    return sparing_gateway


def route(ask: Ask, content: str, model: str) -> str:
    answer = ask(content, model=model, max_tokens=1)
    refused: str = answer.json().get("error", {}).get("code", "")
    return answer.headers.get("x-weighbridge-route", refused)


@pytest.mark.parametrize("hard", [True, False])
def test_a_key_that_runs_low_goes_where_it_is_cheap(sparing: Gateway, upstream: Upstream, hard: bool) -> None:
    made = Admin(sparing).create(month={"usd": 1, "hard": hard})
    ask = asking(sparing, made["key"])
    assert [route(ask, "first", model) for model in ("sparing", "gpt-4o")] == ["away", "away"]
    upstream.behaviour = says("hello", prompt_tokens=600_000)  # 60 cents
    assert ask("dear", max_tokens=1).status_code == 200
    upstream.behaviour = says("hello")
    eventually(lambda: route(ask, "then", "sparing") == "small")  # what is left may be seconds old
    assert route(ask, "then", "gpt-4o") == "small"
    assert route(ask, "then", "strict") == "no_route_qualifies"
    assert route(ask, "then", "lenient") == "away"
    assert ask("then", model="away", max_tokens=1).status_code == 200  # pinned


def test_who_has_no_budget_has_enough(sparing: Gateway) -> None:
    free, limited = Admin(sparing).create(), Admin(sparing).create(rpm=100)
    for key in (free["key"], limited["key"], OWN_KEY):
        assert [route(asking(sparing, key), "hi", model) for model in POLICIES] == ["away"] * 3


def explained(gateway: Gateway, **params: Any) -> dict[str, Any]:
    answer = gateway.http.get("/v1/policies/sparing/explain", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_explanation_says_the_figure(sparing: Gateway) -> None:
    assert explained(sparing)["chosen"] == "away"
    low = explained(sparing, budget_left=0.1)
    assert low["chosen"] == "small"
    away = next(each for each in low["routes"] if each["route"] == "away")
    finding = next(each for each in away["findings"] if each["requirement"] == "budget_left")
    assert (finding["kept"], finding["figure"]) == (False, 0.1)
    assert "10.0% of the key's budget is left" in finding["reason"]
