"""A canary behind a running gateway: its share of real requests follows what is posted about it, and nothing else."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

SESSIONS = [f"session-{number}" for number in range(40)]
BAR = 0.6
CANARY = {
    "stable": "old",
    "while": {"pass_at_1": {"suite": "humaneval+", "at_least": BAR}},
    "start": 0.1,
    "grow": 2,
    "every": 20,
}
_numbers = count()


@pytest.fixture(scope="module")
def canaries(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A policy for each of two candidates, called like it."""
    routes = {name: vllm_route(upstream_server.url, revision=name) for name in ("old", "new", "poor")}
    policies = {f"to-{name}": {"canary": {**CANARY, "candidate": name}} for name in ("new", "poor")}
    gateway = start_gateway(tmp_path_factory.mktemp("canaries"), {"routes": routes, "policies": policies})
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def gateway(canaries: Gateway, upstream: Upstream) -> Gateway:
    return canaries


def share(gateway: Gateway, candidate: str) -> tuple[float, str]:
    """What is said of it, and why."""
    rows = gateway.http.get(f"/v1/policies/to-{candidate}/explain").json()["routes"]
    (said,) = (row["objective"] for row in rows if row["route"] == candidate)
    return said["value"], said["meaning"]


def on_candidate(gateway: Gateway, candidate: str) -> set[str]:
    """Sessions whose request it answers."""
    found = set()
    for session in SESSIONS:
        answer = gateway.chat(f"{next(_numbers)}", model=f"to-{candidate}", headers={"session-id": session})
        assert answer.status_code == 200, answer.text
        if answer.headers["x-weighbridge-route"] == candidate:
            found.add(session)
    return found


def revision(gateway: Gateway, route: str) -> str:
    return str(gateway.http.get(f"/v1/models/{route}").json()["weighbridge"]["revision"])


def measure(gateway: Gateway, route: str, tasks: int, pass_at_1: float, day: int) -> None:
    counts = {"tasks": tasks, "repetitions": 1, "asked": tasks, "scored": tasks, "no_answer": 0, "unscorable": 0}
    card = {"run_id": f"run-{day}", "suite": "humaneval+", "suite_hash": "abc", "language": "python", **counts}
    card |= {"route": route, "revision": revision(gateway, route), "pass_at_1": pass_at_1}
    posted = gateway.http.post(
        "/v1/scorecards", json={"scorecards": [{**card, "measured_at": f"2026-11-{day:02}T00:00:00Z"}]}
    )
    assert posted.status_code == 201, posted.text


def watch(gateway: Gateway, state: str, tasks: int, minute: int) -> None:
    row: dict[str, Any] = {
        "route": "new",
        "revision": revision(gateway, "new"),
        "suite": "humaneval+",
        "language": None,
    }
    row |= {"at_least": BAR, "confidence": 0.95, "before": None, "state": state, "reason": "because"}
    row |= {"at": f"2026-11-23T00:{minute:02}:00+00:00", "run_id": f"watch-{minute}", "low": 0.5, "high": 0.9}
    posted = gateway.http.post("/v1/admissions", json={"admissions": [{**row, "tasks": tasks, "failing": []}]})
    assert posted.status_code == 201, posted.text


def test_a_canarys_share_of_the_requests_grows_only_while_its_evidence_allows(gateway: Gateway) -> None:
    def stands_at(wanted: float, *reasons: str) -> set[str]:
        """Sessions of the candidate once its share is this one; others of the same share are no others later."""
        eventually(
            lambda: share(gateway, "new")[0] == wanted and all(each in share(gateway, "new")[1] for each in reasons)
        )
        found = on_candidate(gateway, "new")
        assert abs(len(found) / len(SESSIONS) - wanted) <= 0.2  # who is dealt where is a hash: always the same
        return found

    first = stands_at(0.1, "the start", "not measured")
    assert on_candidate(gateway, "new") == first  # requests are no evidence
    measure(gateway, "new", 20, 0.9, day=1)
    second = stands_at(0.2, "after 20 scored tasks (the next step at 40)")
    measure(gateway, "new", 59, 0.9, day=2)
    third = stands_at(0.4, "after 59 scored tasks")
    watch(gateway, "admitted", 60, minute=1)
    fourth = stands_at(0.8, "after 60 scored tasks")
    measure(gateway, "new", 80, 0.9, day=3)
    assert stands_at(1.0) == set(SESSIONS)
    assert first < second < third < fourth

    watch(gateway, "demoted", 90, minute=2)
    assert stands_at(0.0, "demoted") == set()
    watch(gateway, "probation", 0, minute=3)
    assert stands_at(0.1, "probation") == first
    watch(gateway, "admitted", 40, minute=4)
    stands_at(1.0, "after 80 scored tasks")


def test_a_canary_whose_evidence_fails_loses_its_share(gateway: Gateway) -> None:
    measure(gateway, "poor", 40, 0.9, day=1)
    eventually(lambda: share(gateway, "poor")[0] == 0.4)
    measure(gateway, "poor", 60, 0.55, day=2)  # below the bar, and maybe by chance
    eventually(lambda: share(gateway, "poor")[0] == 0.1)
    measure(gateway, "poor", 60, 0.3, day=3)  # not by chance
    eventually(lambda: share(gateway, "poor")[0] == 0)
    assert "below the bar of 0.6" in share(gateway, "poor")[1] and on_candidate(gateway, "poor") == set()
