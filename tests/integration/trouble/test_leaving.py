"""A gateway that is told to end, with a hundred streams under way."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from gateway.processes.worker import _LAST_S
from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import LONG_S, eventually

STREAMS = 100
PIECE = up.event(up.chunk("a"))
END = (up.event(up.chunk(finish="stop")), up.event("[DONE]"))


def streamed(gateway: Gateway, number: int) -> httpx.Response:
    body = {"model": "small", "stream": True, "messages": [{"role": "user", "content": f"{number}"}]}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=body, timeout=LONG_S, trust_env=False)


def ready(gateway: Gateway) -> int:
    return httpx.get(f"{gateway.url}/health/ready", timeout=LONG_S, trust_env=False).status_code


def test_sigterm_with_a_hundred_streams(serve: Serve, upstream: Upstream) -> None:
    """Ready turns 503 at once; streams finish, or end in an error event by the deadline; it exits 0; all are booked."""
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}, "server": {"grace_s": 4}})
    go = threading.Event()
    finishing = up.streams_held(PIECE, go, *END)
    endless = up.streams_held(PIECE, threading.Event())

    async def half(received: up.Received, writer: object) -> None:
        odd = int(received.json["messages"][0]["content"]) % 2
        await (endless if odd else finishing)(received, writer)  # type: ignore[arg-type]

    upstream.behaviour = half
    with ThreadPoolExecutor(STREAMS) as pool:
        asked = [pool.submit(streamed, gateway, number) for number in range(STREAMS)]
        upstream.wait_for(STREAMS)
        began = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        eventually(lambda: ready(gateway) == 503)
        assert httpx.get(f"{gateway.url}/health/live", trust_env=False).status_code == 200
        turned_away = streamed(gateway, 1000)
        assert (turned_away.status_code, turned_away.json()["error"]["code"]) == (503, "closing")
        assert "retry-after" in turned_away.headers
        in_time = time.monotonic() - began < 3
        go.set()
        answers = [answer.result() for answer in asked]
    assert gateway.process.wait(LONG_S) == 0
    for number, answer in enumerate(answers):
        last = answer.text.strip().rpartition("data: ")[2]
        if last == "[DONE]":
            assert number % 2 == 0
        else:
            assert number % 2 or not in_time
            assert json.loads(last)["error"]["code"] == "closing"
    assert len(upstream.received) == STREAMS


def test_the_ledger_has_them_all(serve: Serve, upstream: Upstream) -> None:
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}, "server": {"grace_s": 0.5}})
    upstream.behaviour = up.streams_held(PIECE, threading.Event())
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(streamed, gateway, number) for number in range(3)]
        upstream.wait_for(3)
        gateway.process.send_signal(signal.SIGTERM)
        ids = [answer.result().headers["x-weighbridge-request-id"] for answer in asked]
    assert gateway.process.wait(LONG_S) == 0
    upstream.behaviour = up.says("back")
    again = serve({"routes": {"small": vllm_route(upstream.url)}})
    rows = [again.ledger(request_id) for request_id in ids]
    assert {(row["outcome"], row["status"], row["usage_source"]) for row in rows} == {
        ("broken_stream", 200, "estimated")
    }
    assert all(row["cost_nanousd"] > 0 for row in rows)


def test_a_worker_that_is_told_twice_lets_its_streams_finish(serve: Serve, upstream: Upstream) -> None:
    """As the kernel tells it when its parent is killed, which has several threads."""
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}})
    go = threading.Event()
    upstream.behaviour = up.streams_held(PIECE, go, *END)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(streamed, gateway, 1)
        upstream.wait_for(1)
        worker = gateway.worker()
        os.kill(worker, signal.SIGTERM)
        eventually(lambda: ready(gateway) == 503)
        os.kill(worker, signal.SIGTERM)
        time.sleep(_LAST_S + 1)  # for what must not happen
        go.set()
        assert asked.result().text.endswith("data: [DONE]\n\n")
