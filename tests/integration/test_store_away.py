"""Gateways whose store goes away, is locked, or cannot be told of in the spool; and two that share one in Postgres."""

import json
import re
import resource
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures.gateway import Gateway, Serve, start_gateway, vllm_route
from tests.fixtures.keys import OWN_KEY, Admin, asking, with_keys
from tests.fixtures.postgres import NewDatabase, Postgres
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import LONG_S, eventually

PASSWORD = "store-canary-2288"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Serve]:
    """``start(config, folder)``: a gateway that is stopped after the test."""
    started: list[Gateway] = []

    def start_it(config: dict[str, Any], folder: str = "", **options: Any) -> Gateway:
        (tmp_path / folder).mkdir(exist_ok=True)
        started.append(start_gateway(tmp_path / folder, config, **options))
        return started[-1]

    yield start_it
    for gateway in started:
        gateway.stop()


def with_password(url: str) -> str:
    return url.replace("postgres@", f"postgres:{PASSWORD}@")


def spool_lag(gateway: Gateway) -> float:
    found = re.search(r"^weighbridge_spool_lag_bytes (\S+)$", gateway.http.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def request_id(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-weighbridge-request-id"])


def error(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_a_postgres_that_goes_is_not_missed_and_told_all_when_it_is_back(
    start: Serve, upstream: Upstream, mortal_postgres: Postgres
) -> None:
    mortal_postgres.execute("CREATE DATABASE goes")
    config = {**with_keys(upstream.url), "store": {"url": with_password(mortal_postgres.url("goes"))}}
    gateway = start(config, api_key=OWN_KEY)
    key = Admin(gateway).create("alice")
    asked = [request_id(gateway.chat("before"))]
    gateway.ledger(asked[0])
    mortal_postgres.stop()
    asked += [request_id(asking(gateway, key["key"])(f"away {n}")) for n in range(3)]
    away = gateway.http.get(f"/v1/requests/{asked[0]}")
    assert error(away) == (503, "store_unavailable")
    assert float(away.headers["retry-after"]) > 0
    assert spool_lag(gateway) > 0
    Admin(gateway).revoke(key["id"])  # a change of keys does not wait for the store

    def is_revoked() -> bool:
        answer = asking(gateway, key["key"])("a moment later")
        asked.extend([request_id(answer)] if answer.status_code == 200 else [])
        return answer.status_code == 401

    eventually(is_revoked)
    assert gateway.stop() == 0

    again = start(config, api_key=OWN_KEY)  # ready, by what was published last
    assert error(asking(again, key["key"])("revoked")) == (401, "key_revoked")
    asked.append(request_id(again.chat("away still")))
    mortal_postgres.start()
    eventually(lambda: spool_lag(again) == 0)
    rows = "SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE outcome = 'ok') FROM requests"
    eventually(lambda: mortal_postgres.execute(rows, "goes") == [(len(asked),) * 3])
    assert {again.ledger(each)["outcome"] for each in asked} == {"ok"}
    assert [listed["revoked_at"] is None for listed in Admin(again).ask("GET", "keys").json()["keys"]] == [False]
    again.stop()
    said = again.logged("the store cannot be opened")
    assert 1 <= len(said) <= 3  # once a minute
    assert 1 <= len(again.logged("the ledger waits in the spools")) <= 3
    assert PASSWORD not in again.log.read_text()


def test_a_gateway_that_knows_nothing_yet_serves_but_is_not_ready(
    start: Serve, tmp_path: Path, upstream: Upstream, mortal_postgres: Postgres
) -> None:
    mortal_postgres.execute("CREATE DATABASE later")
    url = mortal_postgres.url("later")
    mortal_postgres.stop()
    config = {"routes": {"small": vllm_route(upstream.url)}, "store": {"url": with_password(url)}}
    with ThreadPoolExecutor() as waiting:
        starting = waiting.submit(start, config)
        asked = served_before_ready(tmp_path / "serve.log")
        mortal_postgres.start()
        gateway = starting.result()
    assert gateway.ledger(asked)["outcome"] == "ok"
    assert gateway.stop() == 0
    assert PASSWORD not in gateway.log.read_text()


def served_before_ready(log: Path) -> str:
    """The request's id."""
    eventually(lambda: log.exists() and b"the store cannot be opened" in log.read_bytes())
    found = re.search(r"weighbridge on (http://\S+)/v1", log.read_text())
    assert found is not None
    with httpx.Client(base_url=found[1], timeout=LONG_S, trust_env=False) as http:
        eventually(lambda: http.get("/health/live").status_code == 200)
        assert http.get("/health/ready").status_code == 503
        body = {"model": "small", "messages": [{"role": "user", "content": "hi"}]}
        return request_id(http.post("/v1/chat/completions", json=body))


def test_two_gateways_share_a_postgres_without_a_valkey_between_them(
    start: Serve, upstream: Upstream, new_database: NewDatabase
) -> None:
    config = {**with_keys(upstream.url), "store": {"url": new_database()}}
    here, there = (start(config, folder, api_key=OWN_KEY) for folder in ("here", "there"))
    assert there.ledger(request_id(here.chat("hi")))["outcome"] == "ok"
    made = Admin(here).create("alice")
    eventually(lambda: asking(there, made["key"])().status_code == 200)
    Admin(there).revoke(made["id"])
    eventually(lambda: asking(here, made["key"])().status_code == 401)
    assert here.http.post("/v1/scorecards", json={"scorecards": [scorecard("run")]}).status_code == 201
    eventually(lambda: [card["run_id"] for card in evidence_of(there)] == ["run"])
    assert here.stop() == there.stop() == 0


def evidence_of(gateway: Gateway) -> list[dict[str, Any]]:
    """What its workers go by."""
    return list(json.loads((gateway.state_dir / "evidence.json").read_bytes())["scorecards"])


def scorecard(run_id: str) -> dict[str, Any]:
    return {
        "run_id": run_id, "route": "small", "revision": "r", "suite": "s+", "suite_hash": "c0", "language": "all",
        "measured_at": "2026-11-23T00:00:00+00:00", "tasks": 10, "repetitions": 1, "asked": 10, "scored": 10,
        "no_answer": 0, "unscorable": 0, "pass_at_1": 0.9,
    }  # fmt: skip


def test_what_the_store_cannot_hold_is_refused(gateway: Gateway) -> None:
    for run_id in ("r" * 201, "nul\0"):
        refused = gateway.http.post("/v1/scorecards", json={"scorecards": [scorecard(run_id)]})
        assert refused.status_code == 400, refused.text


def test_a_locked_sqlite_and_a_full_disk(serve: Serve, upstream: Upstream) -> None:
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}})
    other = sqlite3.connect(gateway.state_dir / "weighbridge.sqlite3", timeout=LONG_S, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    asked = request_id(gateway.chat("locked"))
    assert spool_lag(gateway) > 0
    other.execute("ROLLBACK")
    other.close()
    assert gateway.ledger(asked)["outcome"] == "ok"

    upstream.received.clear()
    worker = gateway.worker()
    before = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (1, before[1]))  # no file takes any more
    refused = gateway.chat("full")
    assert error(refused) == (503, "ledger_unavailable")
    assert float(refused.headers["retry-after"]) > 0
    body = {"model": "small", "max_tokens": 9, "messages": gateway.messages("full")}
    anthropics = gateway.http.post("/v1/messages", json=body)
    assert (anthropics.status_code, anthropics.json()["type"]) == (503, "error")
    assert gateway.http.get("/health/live").status_code == 200
    assert upstream.received == []
    resource.prlimit(worker, resource.RLIMIT_FSIZE, before)
    assert gateway.ledger(request_id(gateway.chat("room again")))["outcome"] == "ok"
    assert gateway.worker() == worker
    rows = sqlite3.connect(gateway.state_dir / "weighbridge.sqlite3")
    assert rows.execute("SELECT count(*), count(DISTINCT id) FROM requests").fetchall() == [(2, 2)]
    rows.close()
