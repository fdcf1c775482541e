"""The image holds the toolchain of every language: a task of the built-in suite in each, judged in Docker.

Those with a table of hostile programs are judged there already (test_hostile_elsewhere).
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from evaluator.judging.judge import Judge
from evaluator.languages import LANGUAGES
from evaluator.sandbox import Sandbox
from evaluator.suites import load_suite
from evaluator.verdict import Status
from tests.conformance.test_hostile_elsewhere import ALL
from tests.fixtures.docker import BUILD_S
from tests.fixtures.sandboxes import Entered, entered

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(BUILD_S)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def docker_sandbox(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with entered("docker", request) as box:
        yield box


@pytest.mark.parametrize("language", sorted(LANGUAGES.keys() - {hostile.table for hostile in ALL.values()}))
async def test_a_language_is_judged(docker_sandbox: Sandbox, language: str, tmp_path: Path) -> None:
    suite = load_suite("builtin")
    task = next((task for task in suite.tasks if task.language == language), None)
    if task is None:
        pytest.skip("the built-in suite has no task in it")
    box = Entered(docker_sandbox)
    async with Judge(suite, box, parallel=1, cache=tmp_path, run_seconds=30.0) as judge:
        verdict = await judge.verdict_on_code(task, 0, task.canonical_solution)
    assert verdict.status is Status.PASS, verdict
