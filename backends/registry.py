"""The kinds of model server that a route may name. A new backend is one file and one line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backends.backend import Backend
from backends.recorded import RecordedBackend
from backends.vllm import VllmBackend


@dataclass(frozen=True, slots=True)
class BackendLimits:
    """What every backend is held to. Seconds and bytes."""

    connect_s: float = 5.0
    max_answer_bytes: int = 32 * 1024 * 1024


def _claude(limits: BackendLimits) -> Backend:
    """The seam behind which its HTTP client is loaded: a tenth of a second that other gateways need not wait."""
    from backends.claude.backend import ClaudeBackend  # noqa: PLC0415

    return ClaudeBackend(connect_s=limits.connect_s, max_answer_bytes=limits.max_answer_bytes)


BACKENDS: Mapping[str, Callable[[BackendLimits], Backend]] = {
    "vllm": lambda limits: VllmBackend(connect_s=limits.connect_s, max_answer_bytes=limits.max_answer_bytes),
    "claude": _claude,
    "recorded": lambda limits: RecordedBackend(),
}
