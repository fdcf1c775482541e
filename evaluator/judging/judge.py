"""Judges samples: extracts the code, runs it in a sandbox, compares what it returns, says a verdict."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from evaluator.judging.extract import extract
from evaluator.judging.oracle import OracleError, Oracles, PartOracle
from evaluator.judging.records import Kind, MalformedStream, Record, Records
from evaluator.languages import LANGUAGES, Language
from evaluator.sandbox import Limits, Run, Sandbox, SandboxError
from evaluator.suites import Suite, Task
from evaluator.verdict import Status, Verdict

START_SECONDS = 5.0
"""What the solution's own top level may take (imports, tables), a part."""

_SLACK_SECONDS = 0.15
"""Results come in batches of up to 0.05 s, and the host may be busy."""

_SKIP_SECONDS = 0.2


def default_cache() -> Path:
    return Path(os.environ.get("WEIGHBRIDGE_CACHE_DIR") or "~/.cache/weighbridge").expanduser()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one part."""

    status: Status
    detail: str = ""


class Judge:
    """Judges up to ``parallel`` samples at once. Enters and leaves the sandbox with itself."""

    def __init__(
        self,
        suite: Suite,
        sandbox: Sandbox,
        *,
        parallel: int | None = None,
        limits: Limits | None = None,
        cache: Path | None = None,
    ) -> None:
        self._suite = suite
        self._sandbox = sandbox
        self._limits = limits or Limits()
        self._turns = _Turns(parallel or os.cpu_count() or 1)
        self._oracles = Oracles(suite, cache or default_cache())
        self._loading: dict[str, asyncio.Task[tuple[PartOracle, ...]]] = {}

    async def __aenter__(self) -> Self:
        await self._sandbox.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for loading in self._loading.values():
            loading.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        await self._sandbox.__aexit__(kind, error, traceback)

    async def prepare(self, tasks: Sequence[Task] | None = None, done: Callable[[Task], None] | None = None) -> None:
        """Makes the oracles of these tasks (all, if None) that are not on disk yet; ``done`` hears of each.

        Not needed: a verdict makes what it lacks. A canonical solution that fails shows in its task's verdicts.
        """

        async def one(task: Task) -> None:
            with contextlib.suppress(OracleError, SandboxError):
                await self._oracle(task, LANGUAGES[task.language])
            if done:
                done(task)

        missing = [task for task in tasks or self._suite.tasks if self.lacks_oracle(task)]
        await asyncio.gather(*map(one, missing))

    def lacks_oracle(self, task: Task) -> bool:
        language = LANGUAGES.get(task.language)
        return language is not None and language.missing() is None and not self._oracles.has(task)

    async def verdict(self, task: Task, sample: int, answer: str) -> Verdict:
        """The verdict on a model's answer."""
        code = extract(answer, task)
        if code is None:
            return _verdict(task, sample, Status.NO_CODE, "the answer holds no code")
        return await self.verdict_on_code(task, sample, code)

    async def verdict_on_code(self, task: Task, sample: int, code: str) -> Verdict:
        """The verdict on a whole program."""
        language = LANGUAGES.get(task.language)
        if language is None:
            known = ", ".join(LANGUAGES)
            return _verdict(task, sample, Status.UNSCORABLE, f"no such language: {task.language} (there are: {known})")
        if missing := language.missing():
            return _verdict(task, sample, Status.UNSCORABLE, missing)
        try:
            oracle = await self._oracle(task, language)
            outcomes = await self._outcomes(task, code, language, oracle)
        except (SandboxError, OracleError, OSError) as error:
            return _verdict(task, sample, Status.UNSCORABLE, str(error))
        return _combined(task, sample, outcomes)

    async def _oracle(self, task: Task, language: Language) -> tuple[PartOracle, ...]:
        if task.task_id not in self._loading:
            self._loading[task.task_id] = asyncio.create_task(self._load(task, language))
        return await asyncio.shield(self._loading[task.task_id])

    async def _load(self, task: Task, language: Language) -> tuple[PartOracle, ...]:
        try:
            async with self._turns.shared():
                return await self._oracles.load(task, language, self._sandbox, self._limits)
        except (SandboxError, OSError):
            del self._loading[task.task_id]  # the next sample tries again
            raise

    async def _outcomes(self, task: Task, code: str, language: Language, oracle: Sequence[PartOracle]) -> list[Outcome]:
        async with self._turns.shared():
            outcomes = await self._run_parts(task, code, language, oracle)
        late = [i for i, outcome in enumerate(outcomes) if outcome.status is Status.TIMEOUT]
        if late:
            async with self._turns.alone():  # it may only have been starved
                parts = [oracle[i] for i in late]
                again = await self._run_parts(task, code, language, parts, each=True, patience=_patience())
            for i, outcome in zip(late, again, strict=True):
                outcomes[i] = outcome
        return outcomes

    async def _run_parts(
        self,
        task: Task,
        code: str,
        language: Language,
        oracle: Sequence[PartOracle],
        *,
        each: bool = False,
        patience: float = 1.0,
    ) -> list[Outcome]:
        """Every part's outcome. One sandbox serves them all, unless a part must be killed: the rest get a new one.

        ``each``: every result is sent at once, so that a wrong one is seen before a later call hangs. Time limits are
        ``patience`` times what the oracle asks for.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(oracle):
            rest = oracle[len(outcomes) :]
            program = language.calls(code, task.entry_point, [part.packed(language, each=each) for part in rest])
            async with self._sandbox.start(program, self._limits) as run:
                records = Records(run)
                await records.ready()
                async for outcome in _judge_parts(records, run, rest, patience):
                    outcomes.append(outcome)
        return outcomes


def _patience() -> float:
    """How many programs want each processor: on a machine that others keep busy, a limit in seconds is worth less."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


async def _judge_parts(
    records: Records, run: Run, oracle: Sequence[PartOracle], patience: float
) -> AsyncIterator[Outcome]:
    """The outcomes of a run's parts in order; at least one, and no more once the run has to be killed."""
    for part in oracle:
        reader = _PartReader(records, part, patience)
        outcome = await reader.outcome()
        if outcome.status is Status.COMPILE_ERROR:
            for _ in oracle:
                yield outcome
            return
        if outcome.status is Status.FAIL and run.out_of_memory():
            outcome = Outcome(Status.FAIL, f"{outcome.detail} (out of memory)")
        yield outcome
        if part is oracle[-1] or outcome.status is Status.TIMEOUT or not await reader.reach_end():
            return


class _PartReader:
    """Follows one part's records, and stops at the first wrong one."""

    def __init__(self, records: Records, oracle: PartOracle, patience: float) -> None:
        self._records = records
        self._oracle = oracle
        self._patience = patience
        self._clock = asyncio.get_running_loop().time
        self._end = self._clock() + (START_SECONDS + oracle.seconds) * patience
        self._ended = False

    async def outcome(self) -> Outcome:
        try:
            problem = await self._start()
            if problem:
                return problem
            for index in range(len(self._oracle.calls)):
                problem = await self._call(index)
                if problem:
                    return problem
        except MalformedStream as error:
            return Outcome(Status.FAIL, str(error))
        except TimeoutError:
            return Outcome(Status.TIMEOUT, f"{self._oracle.part.name}: over its time limit")
        return Outcome(Status.PASS)

    async def reach_end(self) -> bool:
        """Skips what is left of the part; False where a new sandbox is sooner there."""
        if self._ended:
            return True
        deadline = self._clock() + _SKIP_SECONDS
        largest = max(call.max_size for call in self._oracle.calls)
        try:
            while record := await self._records.next(deadline, largest):
                if record.kind is Kind.END:
                    return True
        except (MalformedStream, TimeoutError):
            return False
        return False

    async def _start(self) -> Outcome | None:
        record = await self._records.next(self._clock() + START_SECONDS * self._patience)
        if record and record.kind is Kind.COMPILE_ERROR:
            return Outcome(Status.COMPILE_ERROR, _text(record))
        return None if record and record.kind is Kind.STARTED else self._broken(record, "")

    async def _call(self, index: int) -> Outcome | None:
        call = self._oracle.calls[index]
        deadline = min(self._end, self._clock() + (call.limit + _SLACK_SECONDS) * self._patience)
        record = await self._records.next(deadline, call.max_size)
        if record is None or record.kind is not Kind.VALUE:
            return self._broken(record, self._oracle.show(index))
        if not self._oracle.accepts(index, record.payload):
            return Outcome(Status.FAIL, f"{self._oracle.part.name}: {self._oracle.show(index)} is wrong")
        return None

    def _broken(self, record: Record | None, shown: str) -> Outcome:
        self._ended = record is not None and record.kind is Kind.END
        what = "the program ended before its results" if record is None or self._ended else _text(record)
        return Outcome(Status.FAIL, f"{self._oracle.part.name}: {shown}{': ' if shown else ''}{what}")


class _Turns:
    """At most ``parallel`` at once, or one alone."""

    def __init__(self, parallel: int) -> None:
        self._parallel = parallel
        self._places = asyncio.Semaphore(parallel)
        self._one = asyncio.Lock()

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        async with self._places:
            yield

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        async with self._one, contextlib.AsyncExitStack() as places:
            for _ in range(self._parallel):
                await places.enter_async_context(self._places)
            yield


def _combined(task: Task, sample: int, outcomes: Sequence[Outcome]) -> Verdict:
    """All parts' outcomes as one verdict: it passes where all do, and says the first reason where one does not."""
    failed = [outcome for outcome in outcomes if outcome.status is not Status.PASS]
    first = min(failed, key=lambda outcome: outcome.status is Status.TIMEOUT, default=Outcome(Status.PASS))
    parts = {part.name: outcome for part, outcome in zip(task.check.parts, outcomes, strict=True)}
    return Verdict(
        task.task_id,
        sample,
        first.status,
        base=_word(parts.get("base")),
        plus=_word(parts.get("plus")),
        detail=first.detail,
    )


def _word(outcome: Outcome | None) -> Status | None:
    """A part's status in EvalPlus's words: a call over its time limit fails its test."""
    if outcome is None:
        return None
    return Status.PASS if outcome.status is Status.PASS else Status.FAIL


def _verdict(task: Task, sample: int, status: Status, detail: str) -> Verdict:
    """A verdict without a run."""
    names = {part.name for part in task.check.parts}
    base, plus = (Status.FAIL if status.scored and name in names else None for name in ("base", "plus"))
    return Verdict(task.task_id, sample, status, base, plus, detail)


def _text(record: Record) -> str:
    return " ".join(record.payload.decode(errors="replace").split())[:300]
