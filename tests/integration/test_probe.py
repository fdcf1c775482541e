"""`weighbridge probe` through a real gateway, against a server that counts words as tokens."""

import json
import os
import subprocess
from typing import Any

import pytest

from evaluator.replaying.probe import Timing, figures, prompt
from tests.fixtures import upstream as up
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve, vllm_route
from tests.fixtures.upstream import Upstream, chunk, event, usage_chunk


async def counts_words(received: up.Received, writer: Any) -> None:
    """Two tokens a word, and as many tokens out as were asked for."""
    body = received.json
    words = len(body["messages"][0]["content"].split())
    out = body["max_tokens"]
    parts = [event(chunk("a ")) for _ in range(out)]
    end = event(chunk(finish="length")) + event(usage_chunk(2 * words, out)) + event("[DONE]")
    await up.streams(*parts, end)(received, writer)


def probe(gateway: Gateway, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir)}
    command = [WEIGHBRIDGE, "probe", "--route", "small", "--base-url", gateway.url + "/v1", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=100)


def test_a_probe_sends_what_it_says_and_keeps_what_it_found(serve: Serve, upstream: Upstream) -> None:
    upstream.behaviour = counts_words
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}})
    done = probe(gateway, "--requests", "6", "--concurrency", "2", "--warmup", "1", "--output-tokens", "8", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    found = result["figures"]
    assert (found["answered"], found["errors"], found["retried_by_gateway"]) == (6, {}, 0)
    assert found["output_tokens"] == {"min": 8, "median": 8, "max": 8}
    assert 507 <= found["input_tokens"]["min"] <= found["input_tokens"]["max"] <= 517
    assert 0 < found["ttft_p50_ms"] <= found["ttft_p99_ms"]
    assert found["total_p50_ms"] >= found["ttft_p50_ms"]
    assert found["cost_nanousd"] == sum(row["input_tokens"] * 1000 + 8 * 2000 for row in result["requests"])
    measured = [received.json for received in upstream.received][-6:]
    assert all(body["ignore_eos"] and body["min_tokens"] == body["max_tokens"] == 8 for body in measured)
    sent = [received.json["messages"][0]["content"] for received in upstream.received]
    assert len({text.split()[0] for text in sent}) == len(sent)
    assert result["manifest"]["exact_length"] is True
    assert result["manifest"]["probe"]["concurrency"] == 2
    assert result["command"].startswith("weighbridge probe --route small")
    [kept] = (gateway.state_dir / "probes").iterdir()
    assert json.loads(kept.read_text()) == result


def test_a_server_that_refuses_unknown_fields_is_probed_without_them(serve: Serve, upstream: Upstream) -> None:
    async def behave(received: up.Received, writer: Any) -> None:
        strict = up.answers_json({"error": {"message": "unknown field ignore_eos"}}, status=400)
        await (strict if "ignore_eos" in received.json else counts_words)(received, writer)

    upstream.behaviour = behave
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}})
    done = probe(gateway, "--requests", "2", "--warmup", "0", "--output-tokens", "4")
    assert done.returncode == 0, done.stderr
    assert "2/2 answered" in done.stdout
    assert "asked for 512" in done.stdout
    [kept] = (gateway.state_dir / "probes").iterdir()
    assert json.loads(kept.read_text())["manifest"]["exact_length"] is False


def test_errors_stand_apart_and_a_route_that_is_down_is_said(serve: Serve, upstream: Upstream) -> None:
    async def behave(received: up.Received, writer: Any) -> None:
        failing = len(upstream.received) % 3 == 0
        await (up.answers_json({"error": "no"}, status=422) if failing else counts_words)(received, writer)

    upstream.behaviour = behave
    gateway = serve({"routes": {"small": vllm_route(upstream.url)}})
    done = probe(gateway, "--requests", "9", "--warmup", "0", "--output-tokens", "4", "--json")
    found = json.loads(done.stdout)["figures"]
    assert (found["answered"], sum(found["errors"].values())) == (6, 3)

    upstream.behaviour = up.answers_json({"error": "no"}, status=422)
    done = probe(gateway, "--requests", "2")
    assert done.returncode == 3
    assert "small gives no answer: 422" in done.stderr


@pytest.mark.parametrize(("seed", "number"), [(1, 0), (1, 1), (2, 0)])
def test_prompts_are_their_seeds(seed: int, number: int) -> None:
    assert prompt(seed, number, 20) == prompt(seed, number, 20)
    assert prompt(seed, number, 20).split()[0] != prompt(3, 7, 20).split()[0]


def test_what_the_gateway_tried_again_is_no_latency() -> None:
    timings = [Timing(10, 110, 512, 11, 1, 5), Timing(5000, 6000, 512, 11, 2, None)]
    found = figures(timings, {"503": 1}, seconds=2)
    assert (found["ttft_p99_ms"], found["retried_by_gateway"], found["answered"]) == (10, 1, 2)
    assert (found["tokens_per_second_each"], found["tokens_per_second_all"]) == (100, 11)
    assert found["cost_nanousd"] is None
    assert figures([], {}, seconds=1)["ttft_p50_ms"] is None
