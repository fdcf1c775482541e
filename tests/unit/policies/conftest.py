from collections.abc import Callable
from typing import Any

import pytest

from policies.scorecard import Scorecard


@pytest.fixture(scope="session")
def make_card() -> Callable[..., Scorecard]:
    """A valid whole scorecard of ``tasks`` tasks asked once each; anything may be overridden."""

    def make(route: str = "a", revision: str = "r1", pass_at_1: float | None = 0.9, **changes: Any) -> Scorecard:
        tasks = changes.pop("tasks", 164)
        fields: dict[str, Any] = {
            "run_id": f"run-{route}",
            "suite": "humaneval+",
            "suite_hash": "c0ffee",
            "language": "python",
            "measured_at": "2026-01-02T03:04:05Z",
            "repetitions": 1,
            "asked": tasks,
            "scored": tasks,
            "no_answer": 0,
            "unscorable": 0,
            "ttft_p50_ms": 100.0,
            "ttft_p99_ms": 400.0,
            "total_p50_ms": 1000.0,
            "total_p99_ms": 4000.0,
        }
        return Scorecard(route=route, revision=revision, tasks=tasks, pass_at_1=pass_at_1, **{**fields, **changes})

    return make
