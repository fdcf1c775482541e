"""The configuration changes while the real gateway serves."""

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, Serve, start_gateway, vllm_route
from tests.fixtures.otlp_receiver import OtlpReceiver
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually


def config(upstream: Upstream, **more: Any) -> dict[str, Any]:
    return {"routes": {"small": vllm_route(upstream.url)}, **more}


def file_of(gateway: Gateway) -> Path:
    return gateway.log.parent / "weighbridge.yaml"


def replace(gateway: Gateway, content: dict[str, Any] | str) -> None:
    """As editors do it: a new file in the old one's place."""
    draft = file_of(gateway).with_suffix(".draft")
    draft.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    draft.replace(file_of(gateway))


def names(gateway: Gateway) -> set[str]:
    return {model["id"] for model in gateway.http.get("/v1/models").json()["data"]}


def events(gateway: Gateway, message: str) -> list[dict[str, Any]]:
    """As soon as there are any: an event is logged after it is counted."""
    eventually(lambda: gateway.logged(message))
    return gateway.logged(message)


def reloads(gateway: Gateway) -> dict[str, float]:
    lines = gateway.http.get("/metrics").text.splitlines()
    counts = [line for line in lines if line.startswith("weighbridge_config_reloads_total{")]
    return {line.split('"')[1]: float(line.rsplit(" ", 1)[1]) for line in counts}


def test_a_changed_file_is_served_without_being_told(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream))
    assert gateway.chat("hi", model="fresh").status_code == 404
    assert reloads(gateway) == {"accepted": 0, "refused": 0}
    changed = {"routes": {"fresh": vllm_route(upstream.url)}, "policies": {"best": {}}, "aliases": {"gpt-4o": "best"}}
    replace(gateway, changed)
    eventually(lambda: names(gateway) == {"fresh", "best", "gpt-4o"})
    assert gateway.chat("hi", model="gpt-4o").headers["x-weighbridge-route"] == "fresh"
    assert gateway.chat("hi", model="small").status_code == 404
    eventually(lambda: reloads(gateway) == {"accepted": 1, "refused": 0})  # counted when the workers have it


def test_a_swapped_link_is_a_change(tmp_path: Path, upstream: Upstream) -> None:
    """Kubernetes mounts a config map as links, and swaps the one in the middle."""
    for name, content in (("1", config(upstream)), ("2", config(upstream, aliases={"second": "small"}))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weighbridge.yaml").write_text(json.dumps(content))
    (tmp_path / "data").symlink_to("1")
    gateway = start_gateway(tmp_path, config(upstream))
    try:
        linked = tmp_path / "link"
        linked.symlink_to("data/weighbridge.yaml")
        linked.replace(file_of(gateway))
        (tmp_path / "next").symlink_to("2")
        (tmp_path / "next").replace(tmp_path / "data")
        eventually(lambda: "second" in names(gateway))
    finally:
        gateway.stop()


def test_a_broken_file_leaves_the_old_config_serving_and_says_so(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream))
    broken = config(upstream)
    broken["routes"]["small"]["context_windw"] = 1000
    replace(gateway, broken)
    eventually(lambda: reloads(gateway)["refused"] == 1)
    assert gateway.http.get("/health/ready").status_code == 200
    assert gateway.chat("hi").status_code == 200
    (event,) = events(gateway, "config refused")
    (problem,) = event["problems"]
    assert event["level"] == "error"
    assert problem.startswith(f"{file_of(gateway)}:13: routes.small.context_windw: unknown key")
    assert "did you mean 'context_window'" in problem
    replace(gateway, "routes: [")
    eventually(lambda: reloads(gateway)["refused"] == 2)
    file_of(gateway).unlink()
    eventually(lambda: reloads(gateway)["refused"] == 3)
    replace(gateway, config(upstream, aliases={"again": "small"}))
    eventually(lambda: "again" in names(gateway))
    eventually(lambda: reloads(gateway) == {"accepted": 1, "refused": 3})


def test_a_worker_that_dies_while_the_file_is_broken_comes_back_with_the_old_config(
    serve: Serve, upstream: Upstream
) -> None:
    gateway = serve(config(upstream))
    replace(gateway, "routes: 7")
    eventually(lambda: reloads(gateway)["refused"] == 1)
    os.kill(gateway.worker(), signal.SIGKILL)

    def serves() -> bool:
        try:
            return gateway.chat("hi").status_code == 200
        except httpx.TransportError:
            return False

    eventually(serves)


def test_what_needs_a_restart_is_named(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream))
    replace(gateway, config(upstream, server={"host": "::1", "port": 9, "workers": 3}))
    (event,) = events(gateway, "changed, but in force only after a restart")
    assert event["keys"] == ["server.host", "server.port", "server.workers"]
    assert gateway.chat("hi").status_code == 200


def test_hangup_reloads_an_unchanged_file_too(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream), "--workers", "2")
    eventually(lambda: len(gateway.logged("a worker is ready")) == 2)
    gateway.process.send_signal(signal.SIGHUP)
    eventually(lambda: reloads(gateway)["accepted"] == 1)
    eventually(lambda: len(gateway.logged("a worker serves the new config")) == 2)


def test_a_stream_under_way_ends_under_the_config_it_began_with(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream, limits={"gap_s": 300}))
    go = threading.Event()
    upstream.behaviour = up.streams_held(
        up.event(up.chunk("begun")), go, up.event(up.chunk(finish="stop")), up.event("[DONE]")
    )
    body = {"model": "small", "messages": gateway.messages("hi"), "stream": True}
    with gateway.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        lines = answer.iter_lines()
        assert "begun" in next(lines)
        replace(gateway, {"routes": {"other": vllm_route(upstream.url)}})
        eventually(lambda: "other" in names(gateway))
        go.set()
        assert list(lines)[-2] == "data: [DONE]"
    row = gateway.ledger(answer.headers["x-weighbridge-request-id"])
    assert (row["outcome"], row["route"]) == ("ok", "small")


def test_keys_prices_limits_and_cache_change(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream, cache={"enabled": False}))
    assert gateway.chat("hi").headers["x-weighbridge-cache"] == "bypass"
    changed = config(upstream, api_key="new", limits={"max_body_bytes": 300})
    changed["routes"]["small"]["price"] = {"input": 1000.0, "output": 1000.0}
    replace(gateway, changed)
    eventually(lambda: gateway.chat("hi").status_code == 401)
    gateway.http.headers["authorization"] = "Bearer new"
    answer = gateway.chat("hi")
    assert answer.headers["x-weighbridge-cost-nanousd"] == str(1_000_000 * 9)
    assert answer.headers["x-weighbridge-cache"] == "miss"
    assert gateway.chat("hi").headers["x-weighbridge-cache"] == "hit"
    assert gateway.chat("long " * 100).status_code == 413


def test_a_key_cannot_be_taken_from_a_gateway_that_others_reach(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream, api_key="old"), "--host", "0.0.0.0")
    gateway.http.headers["authorization"] = "Bearer old"
    replace(gateway, config(upstream, aliases={"a": "small"}))
    eventually(lambda: reloads(gateway)["refused"] == 1)
    (event,) = events(gateway, "config refused")
    assert "api_key: missing, and the gateway listens on 0.0.0.0" in event["problems"][0]
    assert gateway.http.get("/v1/models", headers={"authorization": ""}).status_code == 401


def test_telemetry_begins_and_ends(serve: Serve, upstream: Upstream, collector: OtlpReceiver) -> None:
    gateway = serve(config(upstream))
    before = gateway.chat("untraced")
    traced = {"otlp_endpoint": collector.url, "request_log": False}
    replace(gateway, config(upstream, telemetry=traced, aliases={"traced": "small"}))
    eventually(lambda: "traced" in names(gateway))
    assert gateway.chat("traced").status_code == 200
    replace(gateway, config(upstream, aliases={"again": "small"}))
    eventually(lambda: "again" in names(gateway))
    after = gateway.chat("untraced again")
    ids = [answer.headers["x-weighbridge-request-id"] for answer in (before, after)]
    eventually(lambda: ids[1] in [event.get("request_id") for event in gateway.logged("request")])
    assert [event["request_id"] for event in gateway.logged("request")] == ids
    assert len(collector.wait_for(lambda span: span.kind == "server")) == 1


def card(revision: str) -> dict[str, Any]:
    counts = {"tasks": 160, "repetitions": 1, "asked": 160, "scored": 160, "no_answer": 0, "unscorable": 0}
    about = {"run_id": "r1", "route": "small", "revision": revision, "suite": "s", "suite_hash": "h"}
    return {**about, **counts, "language": "python", "measured_at": "2026-11-20T00:00:00+00:00", "pass_at_1": 0.95}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("workers", [1, 2])
def test_twenty_reloads_under_load_fail_no_request(serve: Serve, upstream: Upstream, workers: int) -> None:
    """Policy ``gated`` needs evidence of the observed revision: a moment without either would be a 503."""
    gate = {"objective": "cheapest", "require": {"pass_at_1": {"suite": "s", "at_least": 0.8}}}
    gateway = serve(config(upstream, policies={"gated": gate}), "--workers", str(workers))
    revision = gateway.http.get("/v1/models/small").json()["weighbridge"]["revision"]
    assert gateway.http.post("/v1/scorecards", json={"scorecards": [card(revision)]}).status_code == 201
    eventually(lambda: known_to_all(gateway))
    time.sleep(2)  # also by a worker that took none of those connections
    statuses: list[int] = []
    stop = threading.Event()
    askers = [threading.Thread(target=keep_asking, args=(gateway, stop, statuses, n)) for n in range(4)]
    for asker in askers:
        asker.start()
    for number in range(20):
        replace(gateway, config(upstream, policies={"gated": gate}, aliases={f"alias-{number}": "small"}))
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda number=number: f"alias-{number}" in names(gateway))  # type: ignore[misc]
    stop.set()
    for asker in askers:
        asker.join()
    assert reloads(gateway)["refused"] == 0
    assert len(statuses) > 100
    assert set(statuses) == {200}


def known_to_all(gateway: Gateway) -> bool:
    """Over many connections: each shows what one worker knows."""
    body = {"model": "gated", "messages": gateway.messages("is it known")}
    url = f"{gateway.url}/v1/chat/completions"
    return all(httpx.post(url, json=body, timeout=30, trust_env=False).status_code == 200 for _ in range(20))


def keep_asking(gateway: Gateway, stop: threading.Event, statuses: list[int], asker: int) -> None:
    """Over one kept connection a client, whole answers and streams in turn."""
    with httpx.Client(base_url=gateway.url, timeout=30, trust_env=False) as http:
        number = 0
        while not stop.is_set():
            number += 1
            body = {"model": "gated", "messages": gateway.messages(f"{asker}.{number}"), "stream": number % 2 == 0}
            answer = http.post("/v1/chat/completions", json=body)
            statuses.append(answer.status_code)
            if body["stream"] and not answer.text.endswith("data: [DONE]\n\n"):
                statuses.append(-1)


def test_replaced_applications_leave_nothing_open(serve: Serve, upstream: Upstream) -> None:
    gateway = serve(config(upstream))
    open_files = Path(f"/proc/{gateway.worker()}/fd")

    def reload(number: int) -> None:
        replace(gateway, config(upstream, aliases={f"alias-{number}": "small"}))
        gateway.process.send_signal(signal.SIGHUP)
        eventually(lambda: f"alias-{number}" in names(gateway))
        assert gateway.chat(f"after {number}").status_code == 200

    reload(0)
    before = len(list(open_files.iterdir()))
    for number in range(1, 8):
        reload(number)
    eventually(lambda: len(list(open_files.iterdir())) <= before + 3)
