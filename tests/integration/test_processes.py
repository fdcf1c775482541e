"""The gateway's processes: death of a worker, of the parent, of Valkey; the end in order."""

import asyncio
import os
import signal
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, Serve, start_gateway, vllm_route
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually


def config(upstream: Upstream) -> dict[str, object]:
    return {"routes": {"small": vllm_route(upstream.url)}}


def wait_gone(pids: list[int]) -> None:
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def begin_stalled(gateway: Gateway, upstream: Upstream) -> threading.Thread:
    async def stall(_: up.Received, __: object) -> None:
        await asyncio.sleep(300)

    def ask() -> None:
        with pytest.raises(httpx.TransportError):
            gateway.chat("never answered")

    upstream.behaviour = stall
    thread = threading.Thread(target=ask)
    thread.start()
    upstream.wait_for(1)
    return thread


def orphans(state_dir: Path) -> list[tuple[str, str]]:
    query = "select outcome, asked from requests where outcome = 'orphaned'"
    rows = subprocess.run(
        ["python3", "-c", "import sqlite3,sys; print(*sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())",
         state_dir / "weighbridge.sqlite3", query],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [tuple(row.strip("()").split(", ")) for row in rows.stdout.splitlines() if row]  # type: ignore[misc]


def test_a_killed_worker_is_replaced_and_its_requests_are_settled(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream))
    thread = begin_stalled(gateway, upstream)
    os.kill(gateway.worker(), signal.SIGKILL)
    thread.join()
    upstream.behaviour = up.says("back")

    def serves() -> bool:
        try:
            return gateway.chat("hi").status_code == 200
        except httpx.TransportError:
            return False

    eventually(serves)
    gateway.stop()
    assert len(orphans(gateway.state_dir)) == 1


def test_who_read_along_when_a_worker_was_killed_has_a_row_too(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream))
    go = threading.Event()
    upstream.behaviour = up.streams_held(up.event(up.chunk("a")), go)
    body = {"model": "small", "messages": gateway.messages("hi"), "stream": True}
    ids = {}
    with ExitStack() as stack:
        for cache in ("miss", "shared"):
            answer = stack.enter_context(gateway.http.stream("POST", "/v1/chat/completions", json=body))
            assert answer.headers["x-weighbridge-cache"] == cache
            ids[cache] = answer.headers["x-weighbridge-request-id"]
        os.kill(gateway.worker(), signal.SIGKILL)
    go.set()
    eventually(lambda: gateway.http.get("/health/ready").status_code == 200)
    assert {gateway.ledger(request_id)["outcome"] for request_id in ids.values()} == {"orphaned"}


def test_a_killed_parent_takes_everything_with_it_and_the_next_start_drains(tmp_path: Path, upstream: Upstream) -> None:
    gateway = start_gateway(tmp_path, config(upstream))
    children = gateway.children()
    assert len(children) == 2
    request_id = gateway.chat("hi").headers["x-weighbridge-request-id"]
    gateway.process.kill()
    wait_gone(children)
    gateway.stop()
    again = start_gateway(tmp_path, config(upstream))
    assert again.ledger(request_id)["outcome"] == "ok"
    assert again.stop() == 0
    assert not list((tmp_path / "state" / "spools").glob("[!.]*"))


def test_sigterm_lets_a_stream_finish_and_exits_0(tmp_path: Path, upstream: Upstream) -> None:
    gateway = start_gateway(tmp_path, config(upstream))
    children = gateway.children()
    parts = [up.event(up.chunk("a"))] * 10 + [up.event(up.chunk(finish="stop")), up.event("[DONE]")]
    upstream.behaviour = up.streams(*parts, pause_s=0.1)
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(gateway.chat("hi", stream=True)))
    thread.start()
    upstream.wait_for(1)
    gateway.process.send_signal(signal.SIGTERM)
    thread.join()
    assert answers[0].text.endswith("data: [DONE]\n\n")
    assert gateway.stop() == 0
    wait_gone(children)


def test_valkey_may_die(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream))
    valkey = next(pid for pid in gateway.children() if pid != gateway.worker())
    assert gateway.chat("hi").headers["x-weighbridge-cache"] == "miss"
    os.kill(valkey, signal.SIGKILL)
    for _ in range(3):
        assert gateway.chat("hi").status_code == 200


def test_two_gateways_do_not_share_a_state_folder(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream))
    command = [gateway.process.args[0], "serve", "--config", gateway.log.parent / "weighbridge.yaml", "--port", "0"]  # type: ignore[index]
    env = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir)}
    second = subprocess.run(command, capture_output=True, text=True, env=env, timeout=100)
    assert second.returncode == 2
    assert "another gateway" in second.stderr


def test_several_workers_serve_one_port_and_one_ledger(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream), "--workers", "2")
    ids = [gateway.chat(f"{n}").headers["x-weighbridge-request-id"] for n in range(6)]
    assert {gateway.ledger(request_id)["outcome"] for request_id in ids} == {"ok"}
    counted = [
        line for line in gateway.http.get("/metrics").text.splitlines() if line.startswith("weighbridge_requests_total")
    ]
    assert sum(float(line.rsplit(" ", 1)[1]) for line in counted) == 6
