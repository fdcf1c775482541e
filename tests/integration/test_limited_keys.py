"""Limits and budgets of virtual keys on a running gateway."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx
import openai
import pytest
from redis import Redis

from gateway.limiting.account import LEDGERS, hash_key, holds_key, of_key
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve, start_gateway
from tests.fixtures.keys import OWN_KEY, Admin, Ask, asking, shared_valkey, with_keys
from tests.fixtures.upstream import Upstream, answers_json, says, streams_held
from tests.fixtures.waiting import eventually

CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
TEAMS = {"poor": {"month": 0}, "red": {"rpm": 1}, "blue": {"month": {"usd": 5000, "hard": False}}}


@pytest.fixture(scope="module")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with shared_valkey(tmp_path_factory.mktemp("shared")) as url:
        yield url


@pytest.fixture(scope="module")
def limited_gateway(
    upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory, valkey_url: str
) -> Iterator[Gateway]:
    config = with_keys(upstream_server.url, cache={"url": valkey_url})
    config["keys"] = {**config["keys"], "teams": TEAMS}
    gateway = start_gateway(tmp_path_factory.mktemp("limited"), config, "--workers", "2", api_key=OWN_KEY)
    with Redis.from_url(valkey_url) as valkey:
        eventually(lambda: valkey.scard(LEDGERS))  # until then no budget is granted
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def limited(limited_gateway: Gateway, upstream: Upstream, request: pytest.FixtureRequest) -> Gateway:
    limited_gateway.topic = f"{request.node.name}: "
    return limited_gateway


@pytest.fixture
def valkey(valkey_url: str) -> Iterator[Redis]:
    with Redis.from_url(valkey_url) as client:
        yield client


@contextmanager
def streamed(gateway: Gateway, key: str, body: dict[str, Any]) -> Iterator[None]:
    """An answer has begun, and its client reads no further."""
    headers = {"authorization": f"Bearer {key}"}
    url = f"{gateway.url}/v1/chat/completions"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=60, trust_env=False) as answer:
        assert answer.status_code == 200
        yield


def settled(valkey: Redis, key_id: str) -> dict[str, int]:
    """What the account of a key has, once nothing is under way."""
    eventually(lambda: not valkey.zcard(holds_key(of_key(key_id))))
    names = ("month_spent", "held")
    return dict(zip(names, map(int, valkey.hmget(hash_key(of_key(key_id)), names)), strict=True))


def test_requests_a_minute(limited: Gateway) -> None:
    key = Admin(limited).create(rpm=1)["key"]
    ask = asking(limited, key)
    first = ask("one")
    assert first.status_code == 200
    assert (first.headers["x-ratelimit-limit-requests"], first.headers["x-ratelimit-remaining-requests"]) == ("1", "0")
    assert "x-ratelimit-limit-tokens" not in first.headers
    refused = ask("two")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-should-retry" not in refused.headers
    for path in ("/v1/responses", "/v1/completions", "/v1/embeddings"):
        assert ask(path=path, input="x", prompt="x").status_code == 429
    assert ask("one").status_code == 429  # also what the cache has
    said = ask(path="/v1/messages", max_tokens=5)
    assert (said.status_code, said.json()["type"], said.json()["error"]["type"]) == (429, "error", "rate_limit_error")
    assert said.headers["anthropic-ratelimit-requests-limit"] == "1"
    assert said.headers["anthropic-ratelimit-requests-reset"].endswith("Z")


def test_sdks_see_their_own_error(limited: Gateway) -> None:
    key = Admin(limited).create(rpm=1)["key"]
    assert asking(limited, key)().status_code == 200
    messages: Any = limited.messages("hi")
    with openai.OpenAI(base_url=limited.url + "/v1", api_key=key, max_retries=0) as client:
        with pytest.raises(openai.RateLimitError) as theirs:
            client.chat.completions.create(model="small", messages=messages)
        assert theirs.value.code == "rate_limit_exceeded"
    claude = anthropic.Anthropic(base_url=limited.url, api_key=key, max_retries=0)
    with claude, pytest.raises(anthropic.RateLimitError):
        claude.messages.create(model="small", messages=messages, max_tokens=5)


def test_tokens_a_minute_are_settled_to_what_they_were(limited: Gateway, upstream: Upstream, valkey: Redis) -> None:
    upstream.behaviour = says("hello there", prompt_tokens=7)
    made = Admin(limited).create(tpm=1000)
    ask = asking(limited, made["key"])
    first = ask("one", max_tokens=900)
    assert int(first.headers["x-ratelimit-remaining-tokens"]) < 100
    settled(valkey, made["id"])
    second = ask("two", max_tokens=900)
    assert second.status_code == 200  # the first came to nine
    settled(valkey, made["id"])
    upstream.behaviour = says("hello there", prompt_tokens=5000)
    assert ask("three", max_tokens=900).status_code == 200
    settled(valkey, made["id"])
    refused = ask("four", max_tokens=1)
    assert (refused.status_code, refused.headers["x-ratelimit-remaining-tokens"]) == (429, "0")
    assert int(refused.headers["retry-after"]) > 60


def test_parallel_requests(limited: Gateway, upstream: Upstream, valkey: Redis) -> None:
    go = threading.Event()
    upstream.behaviour = streams_held(CHUNK, go)
    made = Admin(limited).create(parallel=1)
    with streamed(limited, made["key"], {"model": "small", "messages": limited.messages("hi"), "stream": True}):
        refused = asking(limited, made["key"])("other")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    go.set()
    upstream.behaviour = says("hello")
    settled(valkey, made["id"])  # the client that left let go of it
    assert asking(limited, made["key"])("again").status_code == 200


def test_a_hard_budget_is_not_overrun(limited: Gateway, upstream: Upstream, valkey: Redis) -> None:
    upstream.behaviour = says("a b c d e f g h i j", prompt_tokens=100)
    budget = 3_000_000  # a request reserves half of it or so, and costs 120,000
    made = Admin(limited).create(month={"usd": "0.003"})
    ask = asking(limited, made["key"])
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: ask(f"question {number}", max_tokens=10), range(60)))
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 429}
    served = [answer for answer in answers if answer.status_code == 200]
    costs = [limited.ledger(answer.headers["x-weighbridge-request-id"])["cost_nanousd"] for answer in served]
    assert settled(valkey, made["id"]) == {"month_spent": sum(costs), "held": 0}
    assert 0 < sum(costs) <= budget
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["error"]["code"] == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"


def test_an_answer_of_a_hard_key_has_an_end(limited: Gateway, upstream: Upstream) -> None:
    assert asking(limited, Admin(limited).create(day={"usd": 1})["key"])("hard").status_code == 200
    assert upstream.received[-1].json["max_tokens"] == 4096
    assert asking(limited, Admin(limited).create(day={"usd": 1, "hard": False})["key"])("soft").status_code == 200
    assert "max_tokens" not in upstream.received[-1].json


def test_what_comes_from_the_cache_or_fails_costs_nothing(limited: Gateway, upstream: Upstream, valkey: Redis) -> None:
    made = Admin(limited).create(month={"usd": 1})
    ask = asking(limited, made["key"])
    assert ask("once").headers["x-weighbridge-cache"] == "miss"
    spent = settled(valkey, made["id"])
    eventually(lambda: ask("once").headers["x-weighbridge-cache"] == "hit")
    upstream.behaviour = answers_json({"error": "no"}, status=400)
    assert ask("another").status_code == 400
    assert ask("none", model="nothing").status_code == 404
    assert settled(valkey, made["id"]) == spent


def test_a_team_has_limits_of_its_own(limited: Gateway) -> None:
    poor = asking(limited, Admin(limited).create(team="poor")["key"])()
    assert (poor.status_code, poor.json()["error"]["code"]) == (429, "insufficient_quota")
    assert "team 'poor'" in poor.json()["error"]["message"]
    red = [asking(limited, Admin(limited).create(team="red")["key"])(f"{n}").status_code for n in range(2)]
    assert red == [200, 429]
    free = asking(limited, Admin(limited).create(team="no such team")["key"])()
    assert not [name for name in free.headers if "ratelimit" in name]


def test_a_valkey_that_has_forgotten_is_told_what_was_spent(
    limited: Gateway, upstream: Upstream, valkey: Redis
) -> None:
    upstream.behaviour = says("hello there", prompt_tokens=5_000)
    made = Admin(limited).create(month={"usd": "0.005"})
    ask = asking(limited, made["key"])
    answer = ask("dear", max_tokens=10)
    assert answer.status_code == 200, answer.text
    cost = limited.ledger(answer.headers["x-weighbridge-request-id"])["cost_nanousd"]
    before = settled(valkey, made["id"])
    assert before["month_spent"] == cost > 5_000_000
    assert ask("more", max_tokens=10).status_code == 429
    valkey.flushall()
    eventually(lambda: ask("more", max_tokens=10).status_code != 503)
    assert ask("more", max_tokens=10).status_code == 429
    assert settled(valkey, made["id"]) == before


def test_what_a_killed_worker_had_reserved_comes_back_and_all_outlives_the_gateway(
    serve: Serve, upstream: Upstream
) -> None:
    gateway = serve(with_keys(upstream.url), api_key=OWN_KEY)
    made, gone = Admin(gateway).create(month={"usd": "0.005"}, parallel=1), Admin(gateway).create()
    Admin(gateway).revoke(gone["id"])
    probe, ask = (asking(gateway, key["key"]) for key in (Admin(gateway).create(day={"usd": 1}), made))
    eventually(lambda: probe("ready", max_tokens=1).status_code == 200)
    upstream.behaviour = streams_held(CHUNK, threading.Event())
    body = {"model": "small", "messages": gateway.messages("killed"), "stream": True, "max_tokens": 10}
    with streamed(gateway, made["key"], body):
        assert ask("more").status_code == 429
        os.kill(gateway.worker(), signal.SIGKILL)
    upstream.behaviour = says("hello there", prompt_tokens=5_000)
    eventually(lambda: status(ask, "dear") == 200)
    eventually(lambda: status(ask, "more") == 429)
    assert gateway.stop() == 0
    gateway = serve(with_keys(upstream.url), api_key=OWN_KEY)
    ask = asking(gateway, made["key"])
    eventually(lambda: status(ask, "more") != 503)
    refused = ask("more", max_tokens=10)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
    assert asking(gateway, gone["key"])().json()["error"]["code"] == "key_revoked"


def status(ask: Ask, content: str) -> int:
    """0 where nobody answers at the moment."""
    try:
        return ask(content, max_tokens=10).status_code
    except httpx.TransportError:
        return 0


def test_the_command(limited: Gateway) -> None:
    def keys(*words: str) -> "subprocess.CompletedProcess[str]":
        env = {"WEIGHBRIDGE_ADMIN_KEY": "admin-canary-0815", "PATH": "/usr/bin:/bin", "NO_PROXY": "*"}
        command = [str(WEIGHBRIDGE), "keys", *words, "--base-url", limited.url + "/v1"]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=env)

    made = keys("create", "--owner", "carol", "--rpm", "7", "--month", "0.10", "--day", "5:soft", "--expires", "30d")
    assert made.returncode == 0, made.stderr
    assert asking(limited, made.stdout.strip())().status_code == 200
    key_id = made.stderr.split(",")[0]
    listed = keys("list")
    line = next(line for line in listed.stdout.splitlines() if key_id in line)
    assert "7 rpm, $5 a day (soft), $0.1 a month" in line
    assert made.stdout.strip() not in listed.stdout
    assert keys("revoke", key_id).stdout == f"{key_id} is revoked\n"
    unknown = keys("create", "--owner", "x", "--policy", "aut")
    assert (unknown.returncode, unknown.stderr.rpartition("; ")[2]) == (2, "did you mean 'auto'?\n")
