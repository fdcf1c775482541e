"""What starts vLLM, and waiting for a server."""

import sys
import time
from pathlib import Path

import pytest

from backends.child_process import ChildProcess
from backends.vllm_server import ServerFailed, VllmCommand, cpu_command, doing, free_port, wait_until_ready

SERVER = """
import http.server, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        Handler.asked += 1
        self.send_response(200 if Handler.asked > 2 else 503)
        self.end_headers()

print("INFO 11-23 00:28:03 [cpu.py:1] loading", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Ready the third time it is asked."""


def test_the_cpu_command_names_model_port_and_flags() -> None:
    command = cpu_command(Path("/env/bin/python"), Path("/models/small"), "small", 8123)
    assert command.argv[:5] == ["/env/bin/python", "-m", "vllm.entrypoints.cli.main", "serve", "/models/small"]
    assert command.argv[5:11] == ["--served-model-name", "small", "--host", "127.0.0.1", "--port", "8123"]
    assert "--enforce-eager" in command.argv
    assert command.base_url == "http://127.0.0.1:8123"


def test_the_environment_keeps_bytecode_calls_nobody_and_asks_for_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("VLLM_API_KEY", "of-another-server")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    environment = cpu_command(Path("python"), Path("model"), "small", 1).environment
    assert "PYTHONDONTWRITEBYTECODE" not in environment
    assert environment["VLLM_API_KEY"] == ""
    assert environment["HF_HUB_OFFLINE"] == environment["VLLM_NO_USAGE_STATS"] == environment["DO_NOT_TRACK"] == "1"
    assert environment["VLLM_CPU_KVCACHE_SPACE"] == "1"


def test_a_command_keeps_the_key_that_its_environment_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    assert VllmCommand(Path("python"), "model", "m", 1).environment["VLLM_API_KEY"] == "secret"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ""),
        (["Traceback (most recent call last):"], ""),
        (["(Worker pid=1) INFO 11-23 00:28:02 [default_loader.py:501] Loading took 1.5 s"], "Loading took 1.5 s"),
        (["(APIServer pid=1) INFO 11-23 00:28:02 [a.py:1] first", "W1123 00:27 triton.py:53] noise", ""], "first"),
        (["INFO 11-23 00:28:02 [a.py:1] Using it", "INFO 11-23 00:28:02 [api_utils.py:347]  ▄▄ ▄█ █ "], "Using it"),
    ],
)
def test_what_a_log_tells_last(lines: list[str], expected: str) -> None:
    assert doing(lines) == expected


def test_waiting_tells_what_is_done_and_ends_when_the_server_is_ready(tmp_path: Path) -> None:
    port, told = free_port(), []
    with ChildProcess([sys.executable, "-c", SERVER, str(port)], log=tmp_path / "log") as process:
        wait_until_ready(process, f"http://127.0.0.1:{port}/health", timeout_s=100, waiting=told.append)
        assert process.poll() is None
    assert told[-1] == "loading"


def test_a_server_that_ends_is_reported_with_its_last_words(tmp_path: Path) -> None:
    code = "print('no such model'); raise SystemExit(4)"
    with (
        ChildProcess([sys.executable, "-c", code], log=tmp_path / "log") as process,
        pytest.raises(ServerFailed, match="ended with status 4") as failed,
    ):
        wait_until_ready(process, f"http://127.0.0.1:{free_port()}/health", timeout_s=100)
    assert failed.value.lines == ["no such model"]


def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    started = time.monotonic()
    with (
        ChildProcess([sys.executable, "-c", "import time; time.sleep(600)"], log=tmp_path / "log") as process,
        pytest.raises(ServerFailed, match="not ready after 1 s"),
    ):
        wait_until_ready(process, f"http://127.0.0.1:{free_port()}/health", timeout_s=1)
    assert time.monotonic() - started < 60
