"""The machine as vLLM's own interpreter sees it."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from backends.vllm_fit import Gpu
from gateway.cli.failure import MissingFailure

_PROBE = Path(__file__).parents[2] / "backends" / "vllm_probe.py"
_PROBE_S = 300


@dataclass(frozen=True, slots=True)
class Node:
    python: Path
    vllm: str
    gpus: tuple[Gpu, ...]


def vllm_python() -> Path | None:
    """The interpreter beside the `vllm` on PATH; None where there is no such command."""
    script = shutil.which("vllm")
    beside = Path(script).resolve().parent if script else Path()
    return next((beside / name for name in ("python", "python3") if script and (beside / name).exists()), None)


def probe(python: Path) -> Node:
    """Asks torch in ``python``, which is not ours. Raises MissingFailure."""
    argv = [str(python), "-c", _PROBE.read_text(encoding="utf-8")]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PROBE_S, check=True)
        seen = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()[-5:]
        raise MissingFailure("\n  | ".join([f"{python} cannot look at this machine:", *lines])) from error
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise MissingFailure(f"{python} cannot look at this machine: {error}") from error
    if seen["vllm"] is None:
        raise MissingFailure(f"{python} has no vLLM; name the interpreter of its environment with --python")
    gpus = (Gpu(gpu["name"], gpu["memory"], gpu["free"], tuple(gpu["capability"])) for gpu in seen["gpus"])
    return Node(python, seen["vllm"], tuple(gpus))
