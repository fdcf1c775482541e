"""LiteLLM costs seconds and memory: who needs it has it before the first request, and nobody else ever."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.gateway import Gateway, Serve, vllm_route
from tests.fixtures.messages_server import KEY, MessagesServer, claude_route
from tests.fixtures.upstream import Upstream

ROOT = Path(__file__).parents[3]
_TELLTALE = "tiktoken"
"""A library of LiteLLM's that is mapped into every process that has imported it."""


def _loaded(pid: int) -> bool:
    return _TELLTALE in Path(f"/proc/{pid}/maps").read_text()


def _rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def test_a_gateway_that_is_ready_has_it_loaded_before_the_first_request(gateway: Gateway) -> None:
    assert _loaded(gateway.worker())
    assert _rss_mib(gateway.worker()) > 150
    assert not _loaded(gateway.process.pid)  # nor the parent, which serves nothing


def test_a_gateway_without_a_claude_route_never_loads_it(gateway: Gateway, common_gateway: Gateway) -> None:
    assert common_gateway.chat(model="auto").status_code == 200
    assert not _loaded(common_gateway.worker())
    assert _rss_mib(common_gateway.worker()) < 110 < _rss_mib(gateway.worker())


def test_with_a_route_that_a_reload_brings_the_old_config_serves_until_it_is_loaded(
    serve: Serve, upstream: Upstream, messages: MessagesServer
) -> None:
    small = vllm_route(upstream.url)
    gateway = serve({"routes": {"small": small}})
    assert not _loaded(gateway.worker())
    file = gateway.state_dir.parent / "weighbridge.yaml"
    file.write_text(json.dumps({"routes": {"small": small, "claude": claude_route(messages.url)}}))
    asked = 0
    while gateway.http.get("/v1/models/claude").status_code == 404:
        asked += 1
        assert gateway.http.get("/health/ready").status_code == 200
        assert gateway.chat(f"question {asked}").status_code == 200
    assert asked and _loaded(gateway.worker())
    assert gateway.chat(model="claude").json()["choices"][0]["message"]["content"] == "hello there"


LOAD = """
import sys
called = []
sys.addaudithook(lambda event, args: called.append(args) if event in ("socket.connect", "socket.getaddrinfo") else None)
import backends.claude.translator as litellm
litellm.warm_up()
litellm.warm_up()
assert not called, called
"""


def test_loading_it_calls_nobody_and_says_nothing() -> None:
    env = {**os.environ, "LITELLM_LOG": "DEBUG", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", LOAD], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prompts_and_keys_are_in_no_log_even_where_litellm_is_told_to_say_everything(
    serve: Serve, messages: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_LOG", "DEBUG")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")  # LiteLLM would go by it
    gateway = serve({"routes": {"claude": claude_route(messages.url)}})
    assert gateway.chat("canary-prompt", model="claude").status_code == 200
    assert gateway.chat("canary-prompt", model="claude", reasoning_effort="canary-effort").status_code == 400
    assert gateway.stop() == 0
    log = gateway.log.read_text()
    assert "canary" not in log and KEY not in log
