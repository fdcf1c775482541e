"""What watching decided changes what every worker of a running gateway decides, and is kept as an audit."""

from pathlib import Path
from typing import Any

from tests.fixtures.gateway import Gateway, Serve, start_gateway, vllm_route
from tests.fixtures.keys import shared_valkey
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

GATE = {"suite": "humaneval+", "at_least": 0.6}


def admission(gateway: Gateway, route: str, state: str, **changes: Any) -> dict[str, Any]:
    facts = gateway.http.get(f"/v1/models/{route}").json()["weighbridge"]
    row = {"route": route, "revision": facts["revision"], "suite": "humaneval+", "language": None}
    row |= {"at_least": 0.6, "confidence": 0.95, "before": None, "state": state, "at": "2026-11-23T00:00:00+00:00"}
    row |= {"reason": "because", "run_id": "watch-1", "low": 0.61, "high": 0.9, "tasks": 200, "failing": ["t/1"]}
    return {**row, **changes}


def post(gateway: Gateway, *rows: dict[str, Any]) -> int:
    answer = gateway.http.post("/v1/admissions", json={"admissions": list(rows)})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["accepted"])


def route_of(gateway: Gateway) -> str:
    answer = gateway.chat("hi", model="auto", headers={"cache-control": "no-store"})
    return str(answer.headers.get("x-weighbridge-route", answer.json().get("error", {}).get("code")))


def wait_for_route(gateway: Gateway, route: str) -> None:
    """On both workers: whichever answers."""
    eventually(lambda: all(route_of(gateway) == route for _ in range(8)))


def test_admissions_move_a_policy_on_every_worker_and_survive_a_restart(serve: Serve, upstream: Upstream) -> None:
    dear = {**vllm_route(upstream.url), "price": {"input": 10, "output": 20}}
    config = {
        "routes": {"cheap": vllm_route(upstream.url), "dear": dear},
        "policies": {
            "auto": {"require": {"pass_at_1": GATE}},
            "any": {},
            "grow": {
                "canary": {
                    "stable": "dear",
                    "candidate": "cheap",
                    "while": {"pass_at_1": {"suite": "mbpp+", "at_least": 0.7}},
                }
            },
        },
    }
    gateway = serve(config, "--workers", "2")
    asked = gateway.http.get("/v1/watch").json()
    gates = [(gate["route"], gate["suite"], gate["at_least"]) for gate in asked["gates"]]
    assert gates == [("cheap", "humaneval+", 0.6), ("dear", "humaneval+", 0.6), ("cheap", "mbpp+", 0.7)]
    assert asked["admissions"] == []
    assert route_of(gateway) == "no_route_qualifies"
    assert post(gateway, admission(gateway, "cheap", "admitted"), admission(gateway, "dear", "admitted")) == 2
    wait_for_route(gateway, "cheap")
    demoted = admission(gateway, "cheap", "demoted", before="admitted", run_id="watch-2")
    assert post(gateway, demoted) == 1
    assert post(gateway, {**demoted, "at": "2026-11-23T00:00:01+00:00"}) == 0
    wait_for_route(gateway, "dear")
    explained = gateway.http.get("/v1/policies/auto/explain").json()
    dropped = next(route for route in explained["routes"] if route["route"] == "cheap")
    assert "run watch-2" in next(found["reason"] for found in dropped["findings"] if not found["kept"])
    gateway.stop()
    gateway = serve(config)
    wait_for_route(gateway, "dear")
    place = 'at_least="0.6",language="",route="cheap",suite="humaneval+"'
    assert f"weighbridge_admitted{{{place}}} 0.0" in gateway.http.get("/metrics").text
    rows = gateway.http.get("/v1/admissions").json()["admissions"]
    assert [(row["route"], row["state"]) for row in rows] == [
        ("cheap", "demoted"),
        ("dear", "admitted"),
        ("cheap", "admitted"),
    ]
    assert rows[0] == demoted
    assert [row["route"] for row in gateway.http.get("/v1/admissions?limit=1").json()["admissions"]] == ["cheap"]


def test_what_is_no_admission_is_refused_whole(gateway: Gateway) -> None:
    good = admission(gateway, "small", "admitted")
    for bad in ({**good, "state": "promoted"}, {**good, "at": "today"}, {"route": "small"}, 3):
        answer = gateway.http.post("/v1/admissions", json={"admissions": [good, bad]})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_admission")
    assert gateway.http.get("/v1/admissions").json() == {"admissions": []}


def test_a_route_says_how_many_requests_wait_at_its_servers(gateway: Gateway, upstream: Upstream) -> None:
    upstream.waiting = 3
    try:
        assert gateway.http.get("/v1/watch/waiting?route=small").json() == {"route": "small", "waiting": 3}
    finally:
        upstream.waiting = 0
    assert gateway.http.get("/v1/watch/waiting?route=other").status_code == 404


def test_gateways_that_share_a_valkey_hear_of_each_others_admissions(upstream: Upstream, tmp_path: Path) -> None:
    gateways: list[Gateway] = []
    try:
        with shared_valkey(tmp_path) as url:
            config = {
                "routes": {"cheap": vllm_route(upstream.url)},
                "policies": {"auto": {"require": {"pass_at_1": GATE}}},
                "cache": {"url": url},
            }
            for name in ("one", "two"):
                (tmp_path / name).mkdir()
                gateways.append(start_gateway(tmp_path / name, config))
            one, two = gateways
            post(one, admission(one, "cheap", "admitted"))
            wait_for_route(two, "cheap")
            post(two, admission(two, "cheap", "demoted", before="admitted", at="2026-11-23T00:00:01+00:00"))
            wait_for_route(one, "no_route_qualifies")
            post(one, admission(one, "cheap", "admitted", at="2026-11-23T00:00:00+00:00"))  # of before: no news
        post(one, admission(one, "cheap", "probation", before="demoted", at="2026-11-23T00:00:02+00:00"))
        with shared_valkey(tmp_path):  # another one, that knows nothing
            eventually(lambda: states(two) == ["admitted", "demoted", "probation"])
        assert states(one) == states(two)
    finally:
        for gateway in gateways:
            gateway.stop()


def states(gateway: Gateway) -> list[str]:
    rows = gateway.http.get("/v1/admissions").json()["admissions"]
    return [row["state"] for row in reversed(rows)]
