"""A scorecard that enters changes what a running gateway decides."""

from typing import Any

from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

POLICIES = {
    "auto": {"require": {"pass_at_1": {"suite": "humaneval+", "at_least": 0.6}}, "otherwise": "most_accurate"},
    "strict": {"require": {"pass_at_1": {"suite": "humaneval+", "at_least": 0.8}}},
}


def scorecard(route: str, revision: str, passes: int, tasks: int = 164) -> dict[str, Any]:
    return {
        "run_id": f"run-{route}-{passes}",
        "route": route,
        "revision": revision,
        "suite": "humaneval+",
        "suite_hash": "abc",
        "language": "python",
        "measured_at": "2026-11-23T00:00:00+00:00",
        "tasks": tasks,
        "repetitions": 1,
        "asked": tasks,
        "scored": tasks,
        "no_answer": 0,
        "unscorable": 0,
        "pass_at_1": passes / tasks,
    }


def revision_of(gateway: Gateway, route: str) -> str:
    return str(gateway.http.get(f"/v1/models/{route}").json()["weighbridge"]["revision"])


def route_of(gateway: Gateway, policy: str) -> str:
    answer = gateway.chat("hi", model=policy, headers={"cache-control": "no-store"})
    return answer.headers.get("x-weighbridge-route", answer.json().get("error", {}).get("code"))


def wait_for_route(gateway: Gateway, policy: str, route: str) -> None:
    eventually(lambda: route_of(gateway, policy) == route)


def test_a_new_scorecard_moves_a_policy_soon_and_survives_a_restart(serve: Serve, upstream: Upstream) -> None:
    dear = {**vllm_route(upstream.url), "price": {"input": 10, "output": 20}}
    config = {"routes": {"cheap": vllm_route(upstream.url), "dear": dear}, "policies": POLICIES}
    gateway = serve(config)
    assert route_of(gateway, "strict") == "no_route_qualifies"
    cards = [
        scorecard("cheap", revision_of(gateway, "cheap"), 120),
        scorecard("dear", revision_of(gateway, "dear"), 150),
    ]
    posted = gateway.http.post("/v1/scorecards", json={"scorecards": cards})
    assert (posted.status_code, posted.json()["accepted"]) == (201, 2)
    wait_for_route(gateway, "strict", "dear")
    assert route_of(gateway, "auto") == "cheap"
    worse = {**scorecard("cheap", revision_of(gateway, "cheap"), 60), "measured_at": "2026-11-23T01:00:00+00:00"}
    assert gateway.http.post("/v1/scorecards", json={"scorecards": [worse]}).status_code == 201
    wait_for_route(gateway, "auto", "dear")
    explained = gateway.http.get("/v1/policies/auto/explain").json()
    dropped = next(route for route in explained["routes"] if route["route"] == "cheap")
    assert "run-cheap-60" in next(f["reason"] for f in dropped["findings"] if not f["kept"])
    assert len(gateway.http.get("/v1/scorecards").json()["scorecards"]) == 3
    gateway.stop()
    assert route_of(serve(config), "auto") == "dear"


def test_each_request_goes_where_its_own_language_is_measured_well(serve: Serve, upstream: Upstream) -> None:
    gate = {"suite": "humaneval+", "at_least": 0.6, "language": "of_request"}
    dear = {**vllm_route(upstream.url), "price": {"input": 10, "output": 20}}
    routes = {"cheap": vllm_route(upstream.url), "dear": dear}
    gateway = serve({"routes": routes, "policies": {"spoken": {"require": {"pass_at_1": gate}}}})
    cards = [
        {**scorecard(route, revision_of(gateway, route), passes), "language": language, "run_id": f"run-{language}"}
        for route, python, rust in (("cheap", 150, 40), ("dear", 150, 150))
        for language, passes in (("python", python), ("rust", rust))
    ]

    def asked(content: str, **headers: str) -> str:
        answer = gateway.chat(content, model="spoken", headers={"cache-control": "no-store", **headers})
        return answer.headers.get("x-weighbridge-route", answer.json().get("error", {}).get("code"))

    assert gateway.http.post("/v1/scorecards", json={"scorecards": cards}).status_code == 201
    eventually(lambda: asked("Sort a list in Python.") == "cheap")
    assert asked("```rust\nfn main() {}\n```") == "dear"
    assert asked("hi", **{"x-weighbridge-language": "rs"}) == "dear"
    assert asked("```go\nfunc main() {}\n```") == "no_route_qualifies", "nobody was measured in Go"
    explained = gateway.http.get("/v1/policies/spoken/explain", params={"language": "rust"}).json()
    dropped = next(route for route in explained["routes"] if route["route"] == "cheap")
    assert "humaneval+ (rust)" in next(f["reason"] for f in dropped["findings"] if not f["kept"])
    row = gateway.ledger(gateway.chat("```rust\n```", model="spoken").headers["x-weighbridge-request-id"])
    assert (row["language"], row["route"]) == ("rust", "dear")


def test_evidence_belongs_to_a_revision(serve: Serve, upstream: Upstream) -> None:
    gateway = serve({"routes": {"cheap": vllm_route(upstream.url)}, "policies": POLICIES})
    before = revision_of(gateway, "cheap")
    gateway.http.post("/v1/scorecards", json={"scorecards": [scorecard("cheap", before, 150)]})
    wait_for_route(gateway, "strict", "cheap")
    upstream.version = "0.33.0"
    try:
        wait_for_route(gateway, "strict", "no_route_qualifies")
        assert revision_of(gateway, "cheap") != before
    finally:
        upstream.version = "0.32.0"


def test_a_bad_scorecard_is_refused_whole(gateway: Gateway) -> None:
    good, bad = scorecard("small", "r", 100), {**scorecard("small", "r", 100), "asked": 3}
    for posted in ({"scorecards": [good, bad]}, {"scorecards": [{"route": 1}]}, {"scorecards": 3}, [1]):
        answer = gateway.http.post("/v1/scorecards", json=posted)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["message"]
    assert gateway.http.get("/v1/scorecards").json()["scorecards"] == []
