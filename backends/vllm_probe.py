"""Runs in vLLM's own interpreter, which has torch and nothing of ours: prints what it sees as one line of JSON."""

import json
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def gpus() -> list[dict[str, Any]]:
    try:
        import torch  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - its absence is an answer
    except ImportError:
        return []
    if not torch.cuda.is_available():
        return []
    return [gpu(torch, index) for index in range(torch.cuda.device_count())]


def gpu(torch: Any, index: int) -> dict[str, Any]:
    facts = torch.cuda.get_device_properties(index)
    free, memory = torch.cuda.mem_get_info(index)
    return {"name": facts.name, "memory": memory, "free": free, "capability": [facts.major, facts.minor]}


def vllm() -> str | None:
    try:
        return version("vllm")
    except PackageNotFoundError:
        return None


seen = json.dumps({"vllm": vllm(), "gpus": gpus()})
sys.stdout.write(f"\n{seen}\n")  # on a line of its own, whatever an import has written before
