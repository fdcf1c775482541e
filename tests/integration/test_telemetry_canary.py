"""What clients write and what is secret is looked for wherever the gateway writes: it must be nowhere."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures import upstream as up
from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.otlp_receiver import OtlpReceiver
from tests.fixtures.upstream import Upstream

PROMPT, ANSWER, TOOL = "canary-prompt-5e1f", "canary-answer-88c2", "canary-tool-19d4"
KEY, WRONG_KEY, UPSTREAM_KEY = "sk-canary-key-77aa", "sk-canary-wrong-0b3d", "sk-canary-upstream-6c6c"
COLLECTOR_KEY = "canary-collector-4e4e"
CANARIES = (PROMPT, ANSWER, TOOL, KEY, WRONG_KEY, UPSTREAM_KEY, COLLECTOR_KEY)


@pytest.fixture
def gateway_with_secrets(
    serve: Serve, upstream: Upstream, collector: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> Gateway:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer {COLLECTOR_KEY},broken {COLLECTOR_KEY}")
    route = vllm_route(upstream.url, api_key=UPSTREAM_KEY, headers={"x-secret": UPSTREAM_KEY})
    config = {
        "routes": {"small": route, "gone": vllm_route("http://127.0.0.1:9", api_key=UPSTREAM_KEY)},
        "limits": {"first_token_s": 3, "gap_s": 3, "max_body_bytes": 100_000},
        "telemetry": {"otlp_endpoint": collector.url},
    }
    return serve(config, api_key=KEY)


def requests(gateway: Gateway, upstream: Upstream) -> Iterator[str]:
    """Makes every kind of request, with canaries wherever a client may write; yields the gateway's own errors."""
    tools = [{"type": "function", "function": {"name": TOOL, "description": TOOL, "parameters": {}}}]
    wild = {"tools": tools, "user": PROMPT, "metadata": {"session_id": PROMPT}, "stop": [PROMPT]}
    upstream.behaviour = up.says(f"{ANSWER} and more")
    for stream in (True, False, True, False):
        assert (
            gateway.chat(PROMPT, stream=stream, **wild, headers={"x-weighbridge-language": PROMPT}).status_code == 200
        )
    for behaviour in (
        up.answers_json({"error": {"message": f"cannot do {PROMPT}"}}, 500),
        up.answers_json(b'{"choices": "' + ANSWER.encode()),
        up.streams(up.event(ANSWER)),
        up.streams(up.event(up.chunk(ANSWER)), end=False),
        up.answers_json({"error": "slow down"}, 429, f"retry-after: 60\r\nx-echo: {PROMPT}\r\n"),
        _never,
    ):
        upstream.behaviour = behaviour
        broken = gateway.chat(PROMPT, stream=True, headers={"cache-control": "no-store", "traceparent": PROMPT})
        yield broken.text.strip().rpartition("data: ")[2]  # what the model said before it broke is the client's
    yield gateway.chat(PROMPT, model="gone").text
    yield gateway.chat(PROMPT, model=None).text
    yield gateway.chat(PROMPT, model=7).text
    yield gateway.chat(PROMPT * 10_000).text
    yield gateway.chat(PROMPT, headers={"authorization": f"Bearer {WRONG_KEY}"}).text
    yield gateway.chat(PROMPT, headers={"authorization": "", "x-api-key": WRONG_KEY}).text
    yield gateway.http.post("/v1/chat/completions", content=f'{{"model": "small", "messages": "{PROMPT}'.encode()).text
    yield gateway.http.post("/v1/chat/completions", content=PROMPT.encode()).text
    yield gateway.http.get(f"/v1/requests/{PROMPT}").text
    yield gateway.http.post("/v1/scorecards", content=PROMPT.encode()).text


async def _never(_: up.Received, __: asyncio.StreamWriter) -> None:
    await asyncio.sleep(300)


def found_in(where: str, data: bytes) -> list[str]:
    return [f"{canary} in {where}" for canary in CANARIES if canary.encode() in data]


def test_no_prompt_answer_or_key_is_in_spans_logs_metrics_ledger_or_error_answers(
    gateway_with_secrets: Gateway, upstream: Upstream, collector: OtlpReceiver
) -> None:
    gateway = gateway_with_secrets
    errors = list(requests(gateway, upstream))
    assert all("error" in json.loads(error) for error in errors)
    found = [canary for error in errors for canary in found_in("an error answer", error.encode())]
    found += found_in("metrics", gateway.http.get("/metrics").content)
    gateway.stop()
    written = [path for path in gateway.state_dir.rglob("*") if path.is_file()]
    assert any(path.name == "weighbridge.sqlite3" for path in written)
    for path in [*written, gateway.log]:
        found += found_in(path.name, path.read_bytes())
    for body in collector.bodies:
        found += found_in("spans", body)
    assert found == []
    assert len(collector.spans) > 20
    assert gateway.log.read_text().count("weighbridge.request") > 15
    assert upstream.received[0].headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert collector.requests[0]["authorization"] == f"Bearer {COLLECTOR_KEY}"


def test_the_search_would_find_them(tmp_path: Path) -> None:
    assert found_in("x", f"a {KEY} b {PROMPT}".encode()) == [f"{PROMPT} in x", f"{KEY} in x"]
