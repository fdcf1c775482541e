"""Judges samples: extracts the code, has it run and checked as its task says, makes a verdict of the outcome."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from evaluator.judging.extract import extract
from evaluator.judging.function_judge import FunctionJudge
from evaluator.judging.oracle import OracleError
from evaluator.judging.outcome import Outcome
from evaluator.judging.program_judge import RUN_SECONDS, ProgramJudge
from evaluator.judging.turns import Turns
from evaluator.languages import LANGUAGES, CallsFunctions, Language
from evaluator.sandbox import Limits, Sandbox, SandboxError
from evaluator.suites import FunctionCheck, Suite, Task
from evaluator.verdict import Status, Verdict


def default_cache() -> Path:
    return Path(os.environ.get("WEIGHBRIDGE_CACHE_DIR") or "~/.cache/weighbridge").expanduser()


class Judge:
    """Judges up to ``parallel`` samples at once. Enters and leaves the sandbox with itself.

    ``run_seconds``: what a whole program's run may take before it is run again alone.
    """

    def __init__(
        self,
        suite: Suite,
        sandbox: Sandbox,
        *,
        parallel: int | None = None,
        limits: Limits | None = None,
        cache: Path | None = None,
        run_seconds: float = RUN_SECONDS,
    ) -> None:
        self._suite = suite
        self._sandbox = sandbox
        limits, turns = limits or Limits(), Turns(parallel or os.cpu_count() or 1)
        self._functions = FunctionJudge(suite, sandbox, limits, turns, cache or default_cache())
        self._programs = ProgramJudge(sandbox, limits, turns, run_seconds)

    async def __aenter__(self) -> Self:
        await self._sandbox.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._functions.close()
        await self._sandbox.__aexit__(kind, error, traceback)

    async def prepare(self, tasks: Sequence[Task] | None = None, done: Callable[[Task], None] | None = None) -> None:
        """Makes the oracles of these tasks (all, if None) that are not on disk yet; ``done`` hears of each.

        Not needed: a verdict makes what it lacks. A canonical solution that fails shows in its task's verdicts.
        """

        async def one(task: Task) -> None:
            language = LANGUAGES[task.language]
            assert isinstance(language, CallsFunctions)
            await self._functions.prepare(task, language)
            if done:
                done(task)

        missing = [task for task in tasks or self._suite.tasks if self.lacks_oracle(task)]
        await asyncio.gather(*map(one, missing))

    def lacks_oracle(self, task: Task) -> bool:
        language = LANGUAGES.get(task.language)
        if not isinstance(task.check, FunctionCheck) or not isinstance(language, CallsFunctions):
            return False
        return self._missing(language) is None and not self._functions.has_oracle(task)

    async def verdict(self, task: Task, sample: int, answer: str) -> Verdict:
        """The verdict on a model's answer."""
        code = extract(answer, task)
        if code is None:
            return _verdict(task, sample, Status.NO_CODE, "the answer holds no code")
        return await self.verdict_on_code(task, sample, code)

    async def verdict_on_code(self, task: Task, sample: int, code: str) -> Verdict:
        """The verdict on a whole program."""
        return await self._verdict_on_code(task, sample, code, without_oracle=Status.UNSCORABLE)

    async def verdict_on_canonical(self, task: Task) -> Verdict:
        """The verdict on the task's own solution: where it gives no results it fails, and no sample can be scored."""
        return await self._verdict_on_code(task, 0, task.canonical_solution, without_oracle=Status.FAIL)

    async def _verdict_on_code(self, task: Task, sample: int, code: str, *, without_oracle: Status) -> Verdict:
        language = LANGUAGES.get(task.language)
        if language is None:
            known = ", ".join(LANGUAGES)
            return _verdict(task, sample, Status.UNSCORABLE, f"no such language: {task.language} (there are: {known})")
        if missing := self._missing(language):
            return _verdict(task, sample, Status.UNSCORABLE, missing)
        if isinstance(task.check, FunctionCheck) and not isinstance(language, CallsFunctions):
            why = f"functions in {task.language} cannot be called with values; give the task 'cases' or a 'test_file'"
            return _verdict(task, sample, Status.UNSCORABLE, why)
        try:
            outcomes = await self._outcomes(task, code, language)
        except OracleError as error:
            return _verdict(task, sample, without_oracle, str(error))
        except (SandboxError, OSError) as error:
            return _verdict(task, sample, Status.UNSCORABLE, str(error))
        return _combined(task, sample, outcomes)

    def _missing(self, language: Language) -> str | None:
        """What to install, where the sandbox runs this machine's programs."""
        return None if self._sandbox.brings_tools else language.missing()

    async def _outcomes(self, task: Task, code: str, language: Language) -> list[Outcome]:
        if isinstance(task.check, FunctionCheck):
            assert isinstance(language, CallsFunctions)
            await self._programs.prepare(language.recipe(code))
            return await self._functions.outcomes(task, code, language)
        return [await self._programs.outcome(task, code, language)]


def _combined(task: Task, sample: int, outcomes: Sequence[Outcome]) -> Verdict:
    """All parts' outcomes as one verdict: it passes where all do, and says the first reason where one does not."""
    failed = [outcome for outcome in outcomes if outcome.status is not Status.PASS]
    first = min(failed, key=lambda outcome: outcome.status is Status.TIMEOUT, default=Outcome(Status.PASS))
    parts = dict(zip(_part_names(task), outcomes, strict=True))
    return Verdict(
        task.task_id,
        sample,
        first.status,
        base=_word(parts.get("base")),
        plus=_word(parts.get("plus")),
        detail=first.detail,
    )


def _part_names(task: Task) -> list[str]:
    return [part.name for part in task.check.parts] if isinstance(task.check, FunctionCheck) else ["tests"]


def _word(outcome: Outcome | None) -> Status | None:
    """A part's status in EvalPlus's words: a call over its time limit fails its test."""
    if outcome is None:
        return None
    return Status.PASS if outcome.status is Status.PASS else Status.FAIL


def _verdict(task: Task, sample: int, status: Status, detail: str) -> Verdict:
    """A verdict without a run."""
    base, plus = (Status.FAIL if status.scored and name in _part_names(task) else None for name in ("base", "plus"))
    return Verdict(task.task_id, sample, status, base, plus, detail)
