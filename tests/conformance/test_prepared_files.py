"""What a language has prepared is there for its programs in every sandbox: shown by it, or carried along."""

import secrets
import shutil

import pytest

from evaluator.judging.program_judge import ProgramJudge
from evaluator.judging.turns import Turns
from evaluator.languages import Preparation, Recipe
from evaluator.sandbox import Limits, Sandbox
from evaluator.sandbox.prepared import HoldsPrepared
from evaluator.suites import Case, StdioCheck, Task
from evaluator.verdict import Status
from tests.fixtures.sandboxes import output

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECONDS = 60.0


class Prepared:
    """A language whose programs compile with what was prepared for it."""

    name = "prepared"
    tags = frozenset({"prepared"})

    def __init__(self) -> None:
        script = ("sh", "-ec", "echo made once >said; echo no more >left")
        self.preparation = Preparation(f"test-{secrets.token_hex(8)}", script, ("said",), needed=True)

    def missing(self) -> str | None:
        return None

    def recipe(self, source: str) -> Recipe:
        folder = self.preparation.folder
        command = ("sh", "-ec", f"cat {folder}/said >out; cd {folder}; echo * >>/tmp/out; cat /tmp/main >>/tmp/out")
        return Recipe({"main": source.encode()}, ("cat", "out"), command, ("out",), self.preparation)


def task(expected: str) -> Task:
    return Task(
        task_id="prepared", language="prepared", prompt="", entry_point="", canonical_solution="",
        check=StdioCheck(cases=(Case("", expected),)),
    )  # fmt: skip


async def judged(sandbox: Sandbox, language: Prepared) -> None:
    judge = ProgramJudge(sandbox, Limits(), Turns(1), SECONDS)
    for source in ("a program", "another"):
        outcome = await judge.outcome(task(f"made once\nsaid\n{source}"), source, language)
        assert outcome.status is Status.PASS, outcome


async def test_programs_find_it(sandbox: Sandbox) -> None:
    language = Prepared()
    try:
        await judged(sandbox, language)
    finally:
        if isinstance(sandbox, HoldsPrepared):
            assert (sandbox.prepared / language.preparation.name / "said").read_text() == "made once\n"
            shutil.rmtree(sandbox.prepared / language.preparation.name)


async def test_no_program_may_write_there(sandbox: Sandbox) -> None:
    assert (await output(sandbox, "sh", "-c", "touch /prepared/mine || echo refused")).startswith("refused")
