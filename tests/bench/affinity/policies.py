"""What is compared: the gateway with and without affinity, and vllm-router, each in front of the same two servers."""

import importlib.metadata
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backends.child_process import ChildProcess
from backends.vllm_server import free_port
from tests.bench.affinity.replicas import MODEL

Start = Callable[[Path, list[str]], "Started"]


@dataclass(frozen=True, slots=True)
class Started:
    process: ChildProcess
    base_url: str
    ready_path: str


@dataclass(frozen=True, slots=True)
class Policy:
    """``start(folder, urls)`` starts it in front of these servers; ``sessions``: agents name their session."""

    name: str
    start: Start
    sessions: bool = False


def policies(peers: Path) -> list[Policy]:
    """``peers`` is where deploy/bench-peers/install.sh has put vllm-router."""
    packages = next((peers / "vllm-router/lib").glob("python*")) / "site-packages"
    (found,) = importlib.metadata.distributions(name="vllm-router", path=[str(packages)])
    router = f"vllm-router {found.version}"
    return [
        Policy(f"round robin ({router})", _router(peers, "round_robin")),
        Policy("fewest under way (Weighbridge, `affinity: false`)", _weighbridge(affinity=False)),
        Policy(f"`cache_aware` ({router})", _router(peers, "cache_aware")),
        Policy("**Weighbridge**, by prompt", _weighbridge(affinity=True)),
        Policy("**Weighbridge**, by session id", _weighbridge(affinity=True), sessions=True),
    ]


def _router(peers: Path, policy: str) -> Start:
    program = peers / "vllm-router/bin/vllm-router"

    def start(folder: Path, urls: list[str]) -> Started:
        port = free_port()
        options = ["--port", str(port), "--policy", policy, "--log-level", "warning"]
        command = [str(program), "--worker-urls", *urls, *options, "--prometheus-port", str(free_port())]
        env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
        return Started(ChildProcess(command, env=env, log=folder / "log"), f"http://127.0.0.1:{port}", "/health")

    return start


def _weighbridge(*, affinity: bool) -> Start:
    def start(folder: Path, urls: list[str]) -> Started:
        port = free_port()
        route = {"backend": "vllm", "model": MODEL, "replicas": urls, "affinity": affinity}
        config = {"routes": {MODEL: route}, "cache": {"enabled": False}, "state_dir": str(folder / "state")}
        file = folder / "weighbridge.yaml"
        file.write_text(json.dumps(config))
        program = str(Path(sys.executable).parent / "weighbridge")
        command = [program, "serve", "--config", str(file), "--port", str(port)]
        env = {name: value for name, value in os.environ.items() if not name.startswith("WEIGHBRIDGE_")}
        return Started(ChildProcess(command, env=env, log=folder / "log"), f"http://127.0.0.1:{port}", "/health/ready")

    return start
