"""A vLLM server of our own: what to run, and waiting until it serves."""

import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from backends.child_process import ChildProcess
from backends.vllm_fit import Serving

_NEWS = re.compile(r"INFO [\d-]+ [\d:]+ \[[^]]*\] (?P<text>.*\w{3}.*)")
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
_QUIET = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
"""Nothing is fetched from a hub and nothing is reported to anyone."""


class ServerFailed(Exception):
    """A server ended, or did not answer in time; ``lines`` is the end of its log."""

    def __init__(self, message: str, lines: list[str]) -> None:
        super().__init__(message)
        self.lines = lines


@dataclass(frozen=True, slots=True)
class VllmCommand:
    """What starts vLLM: its own interpreter, the model's directory or name, the name it serves it by, its flags."""

    python: Path
    model: str
    served_name: str
    port: int
    host: str = "127.0.0.1"
    flags: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def argv(self) -> list[str]:
        serve = [str(self.python), "-m", "vllm.entrypoints.cli.main", "serve", self.model]
        serve += ["--served-model-name", self.served_name, "--host", self.host, "--port", str(self.port)]
        return [*serve, *self.flags]

    @property
    def environment(self) -> dict[str, str]:
        # Without kept bytecode every start compiles thousands of modules again: 58 s instead of 32 s.
        inherited = {name: value for name, value in os.environ.items() if name != _NO_BYTECODE}
        return {**inherited, **self.own_environment}

    @property
    def own_environment(self) -> dict[str, str]:
        """What differs from our own variables."""
        return {**_QUIET, **self.env}

    def start(self, log: Path) -> ChildProcess:
        return ChildProcess(self.argv, env=self.environment, log=log)


def cpu_command(python: Path, model: Path, served_name: str, port: int) -> VllmCommand:
    """The CPU build on a small machine: no compilation, a KV cache of 1 GiB, tool calls in Hermes' syntax accepted."""
    flags = ("--enforce-eager", "--dtype", "bfloat16", "--max-model-len", "4096", "--disable-uvicorn-access-log")
    tools = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    env = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_API_KEY": ""}  # the key is for another server: loopback needs none
    return VllmCommand(python, str(model), served_name, port, flags=flags + tools, env=env)


def gpu_command(
    python: Path,
    model: str,
    served_name: str,
    port: int,
    serving: Serving,
    *,
    flags: Sequence[str] = (),
    loras: Sequence[str] = (),
) -> VllmCommand:
    """``loras`` are NAME=PATH; each is served as a model of its own, named NAME. Weights may come from a hub."""
    words = ["--tensor-parallel-size", str(serving.tensor_parallel), "--max-model-len", str(serving.max_model_len)]
    words += ["--gpu-memory-utilization", f"{serving.utilisation:.2f}", "--dtype", serving.dtype]
    if serving.quantization:
        words += ["--quantization", serving.quantization]
    if serving.kv_cache_dtype:
        words += ["--kv-cache-dtype", serving.kv_cache_dtype]
    if loras:
        words += ["--enable-lora", "--max-loras", str(serving.max_loras)]
        words += ["--max-lora-rank", str(serving.max_lora_rank), "--lora-modules", *loras]
    env = {"HF_HUB_OFFLINE": os.environ.get("HF_HUB_OFFLINE", "0")}
    return VllmCommand(python, model, served_name, port, flags=(*words, *flags), env=env)


def free_port() -> int:
    """One that nobody on this machine's loopback listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until_ready(
    process: ChildProcess, url: str, *, timeout_s: float, waiting: Callable[[str], None] = lambda doing: None
) -> None:
    """Until ``url`` answers 200; ``waiting`` hears twice a second what the log says last. Raises ServerFailed."""
    deadline = time.monotonic() + timeout_s
    with httpx.Client(timeout=5, trust_env=False) as client:  # a proxy is not for our own machine
        while not _answers(client, url):
            if (status := process.poll()) is not None:
                raise ServerFailed(f"it ended with status {status}", process.last_lines(25))
            if time.monotonic() > deadline:
                raise ServerFailed(f"it was not ready after {timeout_s:.0f} s", process.last_lines(25))
            waiting(doing(process.last_lines(20)))
            time.sleep(0.5)


def doing(lines: list[str]) -> str:
    """The last thing that a vLLM log tells, without process, date and source; empty where it tells nothing."""
    news = (_NEWS.search(line) for line in reversed(lines))
    return next((found["text"] for found in news if found), "")


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code == 200
    except httpx.TransportError:
        return False
