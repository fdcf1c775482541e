"""Workers begin to load before their parent knows what they are to serve."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.fixtures.waiting import eventually

_SERVE = [Path(sys.executable).with_name("weighbridge"), "serve", "--port", "0", "--config"]


def workers_of(parent: int) -> list[int]:
    wanted = f"--parent={parent}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if b"gateway.processes.worker" in command and wanted in command:
            found.append(int(process.name))
    return found


def test_a_refused_config_leaves_no_worker(tmp_path: Path) -> None:
    config = tmp_path / "weighbridge.yaml"
    config.write_text("routes: 7")
    with subprocess.Popen([*_SERVE, config], stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert f"{config}:1: routes:" in said
    assert not workers_of(process.pid)


def test_a_parent_that_dies_while_its_worker_loads_leaves_no_worker(tmp_path: Path) -> None:
    config = tmp_path / "weighbridge.yaml"
    os.mkfifo(config)  # nobody writes: the parent waits for its configuration
    with subprocess.Popen([*_SERVE, config], stderr=subprocess.DEVNULL, cwd=tmp_path) as process:
        eventually(lambda: workers_of(process.pid))
        process.send_signal(signal.SIGKILL)
    eventually(lambda: not workers_of(process.pid))


def test_a_worker_that_dies_before_its_order_is_replaced(tmp_path: Path) -> None:
    config = tmp_path / "weighbridge.yaml"
    os.mkfifo(config)
    with subprocess.Popen([*_SERVE, config], stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        eventually(lambda: workers_of(process.pid))
        (first,) = workers_of(process.pid)
        os.kill(first, signal.SIGKILL)
        config.write_text("routes: {a: {backend: vllm, model: m, replicas: ['http://127.0.0.1:9']}}")
        eventually(lambda: set(workers_of(process.pid)) - {first})
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "a worker died and is replaced" in said
