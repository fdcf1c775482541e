"""`weighbridge up` before somebody's server: from the command to serving, and back to nothing."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from backends.vllm_server import free_port
from tests.fixtures.gateway import WEIGHBRIDGE
from tests.fixtures.upstream import Upstream
from tests.fixtures.waiting import eventually


@contextmanager
def started(folder: Path, port: int, vllm: str) -> Iterator["subprocess.Popen[bytes]"]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("WEIGHBRIDGE_", "ANTHROPIC_"))}
    env |= {"PORT": str(port), "VLLM_BASE_URL": vllm}
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen([WEIGHBRIDGE, "up"], cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def said(folder: Path) -> str:
    return (folder / "out").read_text()


pytestmark = pytest.mark.timeout(300)


def wait_for(folder: Path, process: "subprocess.Popen[bytes]", text: str) -> None:
    deadline = time.monotonic() + 90
    while text not in said(folder):
        assert process.poll() is None, said(folder)
        assert time.monotonic() < deadline, said(folder)
        time.sleep(0.05)


def processes_in(folder: Path) -> list[str]:
    """Everything alive whose working directory is ``folder``: the command and all that it started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").samefile(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def test_it_weighs_the_route_serves_and_leaves_nothing_behind(tmp_path: Path, upstream: Upstream) -> None:
    port = free_port()
    with started(tmp_path, port, upstream.url + "/v1/") as process:
        wait_for(tmp_path, process, "Serving")
        answer = httpx.post(
            f"http://127.0.0.1:{port}/v1/chat/completions",
            json={"model": "auto", "messages": [{"role": "user", "content": "hi"}]},
            timeout=30,
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == "hello there"
        assert answer.headers["x-weighbridge-route"] == "m"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, said(tmp_path)
    text = said(tmp_path)
    assert re.search(r"builtin on route m.*\n +pass@1 +0\.000", text), text
    for shown in ("builtin python", f"http://127.0.0.1:{port}/v1", "codex", "aider"):
        assert shown in text
    assert processes_in(tmp_path) == []


def test_killed_it_takes_the_gateway_with_it(tmp_path: Path, upstream: Upstream) -> None:
    with started(tmp_path, free_port(), upstream.url) as process:
        wait_for(tmp_path, process, "gateway is ready")
        process.kill()
    eventually(lambda: not processes_in(tmp_path))


def test_a_gateway_that_dies_ends_the_rest_and_is_reported(tmp_path: Path, upstream: Upstream) -> None:
    with started(tmp_path, free_port(), upstream.url) as process:
        wait_for(tmp_path, process, "Serving")
        (gateway,) = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _is_gateway(entry, tmp_path)]
        os.kill(gateway, signal.SIGKILL)
        assert process.wait(60) == 3
    assert "gateway: it ended with status 137" in said(tmp_path)
    eventually(lambda: not processes_in(tmp_path))  # its workers hear of its death from the kernel


def _is_gateway(process: Path, folder: Path) -> bool:
    try:
        words = (process / "cmdline").read_text().split("\0")
        return (process / "cwd").samefile(folder) and words[1].endswith("weighbridge") and words[2] == "serve"
    except (OSError, IndexError):
        return False


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path, upstream: Upstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(tmp_path, port, upstream.url) as process:
            assert process.wait(60) == 2
    assert f"PORT={port + 1} make run" in said(tmp_path)


@pytest.mark.parametrize("vllm", ["http://127.0.0.1:9", "no-url"])
def test_a_server_that_is_not_there_is_said(tmp_path: Path, vllm: str) -> None:
    with started(tmp_path, free_port(), vllm) as process:
        assert process.wait(60) == 3
    assert "VLLM_BASE_URL" in said(tmp_path)


def test_a_server_without_models_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as empty:
        empty.settimeout(60)
        with started(tmp_path, free_port(), f"http://127.0.0.1:{empty.getsockname()[1]}") as process:
            connection, _ = empty.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"data":[]}')
                assert process.wait(60) == 3
    assert "lists no model" in said(tmp_path)
