"""`weighbridge spend` on a running gateway: who spent what, as people, programs and tenants see it."""

import csv
import io
import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, start_gateway
from tests.fixtures.keys import OWN_KEY, Admin, asking, with_keys
from tests.fixtures.upstream import Upstream, answers_json, says
from tests.fixtures.waiting import eventually

PER_TOKEN = {"in": 1000, "out": 2000}  # nano-dollars, as `vllm_route` has it


@pytest.fixture(scope="module")
def gateway(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    started = start_gateway(tmp_path_factory.mktemp("spend"), with_keys(upstream_server.url), api_key=OWN_KEY)
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="module")
def spent(gateway: Gateway, upstream_server: Upstream) -> dict[str, Any]:
    """Two keys of a team, one of a customer: an answer each, one of them again from the cache, and a failure."""
    upstream_server.behaviour = says("hello there", prompt_tokens=7)
    admin = Admin(gateway)
    keys = {name: admin.create(name, team="red") for name in ("ann", "bob")}
    keys["acme"] = admin.create("acme", customer="acme")
    for name in ("ann", "bob"):
        assert asking(gateway, keys[name]["key"])(f"I am {name}").status_code == 200
    caches: list[str] = []

    def hit() -> bool:
        caches.append(asking(gateway, keys["acme"]["key"])("hi").headers["x-weighbridge-cache"])
        return caches[-1] == "hit"

    eventually(hit)
    upstream_server.behaviour = answers_json({"error": "no"}, status=400)
    assert asking(gateway, keys["bob"]["key"])("bad", model="away").status_code == 400
    upstream_server.behaviour = says("hello there", prompt_tokens=7)
    eventually(lambda: gateway.http.get("/v1/spend").json()["total"]["requests"] == 3 + len(caches))
    return {**keys, "misses": len(caches) - 1}


def ask(gateway: Gateway, *options: str, key: str = OWN_KEY) -> subprocess.CompletedProcess[str]:
    command = [WEIGHBRIDGE, "spend", "--base-url", f"{gateway.url}/v1", *options]
    env = {**os.environ, "WEIGHBRIDGE_API_KEY": key}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_a_row_each_and_the_whole(gateway: Gateway, spent: dict[str, Any]) -> None:
    once = 7 * PER_TOKEN["in"] + 2 * PER_TOKEN["out"]
    found = json.loads(ask(gateway, "--by", "team", "--by", "customer", "--json").stdout)
    rows = {(row["team"], row["customer"]): row for row in found["rows"]}
    assert rows.keys() == {("red", None), (None, "acme")}
    red, acme = rows["red", None], rows[None, "acme"]
    assert (red["requests"], red["errors"], red["cost_nanousd"], red["cache_hits"]) == (3, 1, 2 * once, 0)
    assert (acme["requests"], acme["errors"]) == (spent["misses"] + 1, 0)
    assert (acme["cost_nanousd"], acme["input_tokens"]) == (spent["misses"] * once, spent["misses"] * 7)
    assert (acme["cache_hits"], acme["saved_nanousd"]) == (1, once)
    total = (2 + spent["misses"]) * once
    assert found["total"]["cost_nanousd"] == found["total"]["provider_nanousd"] == total
    by_route = json.loads(ask(gateway, "--json").stdout)
    assert {row["route"]: row["cost_nanousd"] for row in by_route["rows"]} == {"small": total, "away": 0}
    assert by_route["total"] == found["total"]


def test_people_and_spreadsheets_can_read_it(gateway: Gateway, spent: dict[str, Any]) -> None:
    shown = ask(gateway, "--by", "team", "--by", "route").stdout.splitlines()
    assert shown[2].split()[:6] == ["team", "route", "requests", "errors", "from", "cache"]
    assert "red" in shown[4] and "away" in shown[4]
    assert shown[-1].startswith("total")
    rows = list(csv.DictReader(io.StringIO(ask(gateway, "--by", "customer", "--by", "day", "--csv").stdout)))
    assert {row["customer"] for row in rows} == {"", "acme"}
    assert all(row["day"].startswith("20") and int(row["cost_nanousd"]) > 0 for row in rows)
    nothing = ask(gateway, "--since", "1999-01-01", "--until", "1999-12-31")
    assert nothing.stdout.endswith("nothing was asked\n")


def test_a_virtual_key_sees_its_own_tenant(gateway: Gateway, spent: dict[str, Any]) -> None:
    found = json.loads(ask(gateway, "--by", "key", "--json", key=spent["acme"]["key"]).stdout)
    assert [row["key"] for row in found["rows"]] == [spent["acme"]["id"]]
    headers = {"authorization": f"Bearer {spent['acme']['key']}"}
    sneaky = httpx.get(f"{gateway.url}/v1/spend?tenant=team:red&by=tenant", headers=headers, trust_env=False).json()
    assert [row["tenant"] for row in sneaky["rows"]] == ["customer:acme"]


@pytest.mark.parametrize(
    "options", [["--since", "tomorrow"], ["--since", "2030-01-01", "--until", "2029-01-01"], ["--json", "--csv"]]
)
def test_what_is_wrong_is_said(gateway: Gateway, options: list[str]) -> None:
    refused = ask(gateway, *options)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "query", ["by=colour", "since=x", "until=2026-13-01", "since=1960-01-01", "by=" + "&by=".join("k" * 11)]
)
def test_a_wrong_question_is_refused(gateway: Gateway, query: str) -> None:
    assert gateway.http.get(f"/v1/spend?{query}").status_code == 400
