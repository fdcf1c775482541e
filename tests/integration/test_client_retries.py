"""Clients that ask again are counted, by wire."""

import re
from collections.abc import Iterator

import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, start_gateway, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually

KEY = "sk-retries"


@pytest.fixture(scope="module")
def counting(upstream_server: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = {"routes": {"small": vllm_route(upstream_server.url)}, "cache": {"enabled": False}}
    gateway = start_gateway(tmp_path_factory.mktemp("retries"), config, api_key=KEY)
    yield gateway
    assert gateway.stop() == 0


def retries(gateway: Gateway, wire: str = "chat") -> float:
    text = gateway.http.get("/metrics").text
    found = re.search(rf'^weighbridge_client_retries_total{{wire="{wire}"}} (\S+)$', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_an_sdks_own_count_is_believed(counting: Gateway, upstream: Upstream) -> None:
    before = retries(counting)
    for count in ("0", "1", "2"):
        assert counting.chat("hi", headers={"x-stainless-retry-count": count}).status_code == 200
    eventually(lambda: retries(counting) == before + 2)


@pytest.mark.parametrize("stream", [False, True])
def test_a_body_that_failed_a_moment_ago_is_a_retry(counting: Gateway, upstream: Upstream, stream: bool) -> None:
    before = retries(counting)
    good = upstream.behaviour
    upstream.behaviour = up.streams(up.event(up.chunk("a")), end=False) if stream else up.answers_json({}, 400)
    assert counting.chat(f"once more {stream}", stream=stream).status_code == (200 if stream else 400)
    upstream.behaviour = good
    assert counting.chat(f"once less {stream}", stream=stream).status_code == 200  # of the same length
    assert counting.chat(f"once more {stream}", stream=stream).status_code == 200
    assert counting.chat(f"once more {stream}", stream=stream).status_code == 200
    eventually(lambda: retries(counting) == before + 1)


def test_one_that_is_turned_away_counts_too(counting: Gateway, upstream: Upstream) -> None:
    before = retries(counting, "messages")
    wrong = {"x-api-key": "wrong", "authorization": "", "x-stainless-retry-count": "1"}
    assert counting.http.post("/v1/messages", json={}, headers=wrong).status_code == 401
    eventually(lambda: retries(counting, "messages") == before + 1)
