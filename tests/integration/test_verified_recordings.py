"""What `verify: examples` is worth on the recorded answers of two real models, through the whole road."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.fixtures.gateway import Gateway, Serve
from tests.fixtures.recorded_pair import LARGE, SMALL, answers, prompts, published, route
from tests.fixtures.sandboxes import serving
from tests.fixtures.shared_data import needs_shared_data

pytestmark = needs_shared_data


@dataclass(frozen=True, slots=True)
class Asked:
    task: str
    route: str
    verify: str | None
    nanousd: int
    id: str

    @property
    def solved(self) -> bool:
        return published(self.route)[self.task].base


@pytest.fixture(scope="module")
def sandboxd() -> Iterator[Path]:
    with serving({"kind": "bubblewrap"}, parallel=2) as path:
        yield path


def ask(gateway: Gateway, model: str, task: str) -> Asked:
    body = {"model": model, "messages": [{"role": "user", "content": prompts()[task]}]}
    answer = gateway.http.post("/v1/chat/completions", json=body, headers={"cache-control": "no-store"}, timeout=120)
    assert answer.status_code == 200, answer.text
    told = {name.removeprefix("x-weighbridge-"): value for name, value in answer.headers.items()}
    assert answer.json()["choices"][0]["message"]["content"] == answers(told["route"])[task]
    return Asked(task, told["route"], told.get("verify"), int(told["cost-nanousd"]), told["request-id"])


def both(serve: Serve, sandboxd: Path, tasks: list[str]) -> tuple[list[Asked], list[Asked]]:
    """What the policy made of the tasks, and what the large model alone did."""
    config = {
        "routes": {SMALL: route(SMALL, 1), LARGE: route(LARGE, 5)},
        "policies": {"auto": {"objective": "cheapest", "verify": "examples"}},
        "sandboxd": str(sandboxd),
    }
    gateway = serve(config)
    with ThreadPoolExecutor(4) as pool:
        verified, large = (list(pool.map(partial(ask, gateway, model), tasks)) for model in ("auto", LARGE))
    for asked in verified:
        row = gateway.ledger(asked.id)
        assert sum(attempt["cost_nanousd"] for attempt in row["attempts"]) == row["cost_nanousd"] == asked.nanousd
        assert [attempt["verify"] for attempt in row["attempts"]][-1] == (
            None if asked.verify == "skipped" else asked.verify
        )
    return verified, large


def test_some_tasks_are_solved_as_by_the_large_model_for_less(serve: Serve, sandboxd: Path) -> None:
    verified, large = both(serve, sandboxd, list(prompts())[:24])
    assert {asked.verify for asked in verified} >= {"passed", "failed"}
    assert {asked.route for asked in verified} == {SMALL, LARGE}
    assert sum(asked.solved for asked in verified) >= sum(asked.solved for asked in large)
    assert sum(asked.nanousd for asked in verified) < sum(asked.nanousd for asked in large)


@pytest.mark.full
def test_all_tasks_are_solved_better_than_by_the_large_model_alone_for_less(serve: Serve, sandboxd: Path) -> None:
    verified, large = both(serve, sandboxd, list(prompts()))
    assert sum(asked.solved for asked in large) == 101
    assert sum(asked.solved for asked in verified) == 104
    assert sum(asked.nanousd for asked in verified) < 0.75 * sum(asked.nanousd for asked in large)
