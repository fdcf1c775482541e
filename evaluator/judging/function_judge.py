"""Judges by calls: runs the solution in a sandbox, calls its function, compares what comes back with the oracle's."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from evaluator.judging.oracle import OracleError, Oracles, PartOracle
from evaluator.judging.outcome import Outcome, one_line
from evaluator.judging.records import Kind, MalformedStream, Record, Records
from evaluator.judging.turns import Turns, patience
from evaluator.languages import CallsFunctions
from evaluator.sandbox import Limits, Run, Sandbox, SandboxError
from evaluator.suites import Suite, Task
from evaluator.verdict import Status

_SLACK_SECONDS = 0.15
"""Results come in batches of up to 0.05 s, and the host may be busy."""

_SKIP_SECONDS = 0.2
_NEAR = 0.25
"""A call that ends within so much more of its limit is near it."""

_IN_MEMORY = 512
"""Oracles that are kept at hand: reading one from the disk takes less than starting a program."""

_BUSY = 0.9
"""A program that computed for so much of the time was not starved."""


class FunctionJudge:
    """For tasks with a ``FunctionCheck``. Oracles are made when they are first needed."""

    def __init__(self, suite: Suite, sandbox: Sandbox, limits: Limits, turns: Turns, cache: Path) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._turns = turns
        self._oracles = Oracles(suite, cache, sandbox)
        self._loading: OrderedDict[str, asyncio.Task[tuple[PartOracle, ...]]] = OrderedDict()

    async def close(self) -> None:
        for loading in self._loading.values():
            loading.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    def has_oracle(self, task: Task) -> bool:
        return self._oracles.has(task)

    async def prepare(self, task: Task, language: CallsFunctions) -> None:
        """Makes the task's oracle. A canonical solution that fails shows in the task's verdicts."""
        with contextlib.suppress(OracleError, SandboxError):
            await self._oracle(task, language)

    async def outcomes(self, task: Task, code: str, language: CallsFunctions) -> list[Outcome]:
        """One a part. Raises ``OracleError``, ``SandboxError``, and ``OSError`` where the cache cannot be written."""
        oracle = await self._oracle(task, language)
        async with self._turns.shared():
            outcomes = await self._run_parts(task, code, language, oracle)
        late = [i for i, outcome in enumerate(outcomes) if not outcome.final]
        if late:
            async with self._turns.alone():
                parts = [oracle[i] for i in late]
                again = await self._run_parts(task, code, language, parts, each=True, longer=patience())
            for i, outcome in zip(late, again, strict=True):
                outcomes[i] = outcome
        return outcomes

    async def _oracle(self, task: Task, language: CallsFunctions) -> tuple[PartOracle, ...]:
        if task.task_id not in self._loading:
            self._loading[task.task_id] = asyncio.create_task(self._load(task, language))
        loading = self._loading[task.task_id]
        self._loading.move_to_end(task.task_id)
        self._forget_old()
        return await asyncio.shield(loading)

    def _forget_old(self) -> None:
        """They are on the disk: however many tasks a suite has, memory holds the oracles of some."""
        while len(self._loading) > _IN_MEMORY:
            oldest = next(iter(self._loading))
            if not self._loading[oldest].done():
                return
            del self._loading[oldest]

    async def _load(self, task: Task, language: CallsFunctions) -> tuple[PartOracle, ...]:
        try:
            async with self._turns.shared():
                return await self._oracles.load(task, language, self._limits)
        except (SandboxError, OSError):
            del self._loading[task.task_id]  # the next sample tries again
            raise

    async def _run_parts(
        self,
        task: Task,
        code: str,
        language: CallsFunctions,
        oracle: Sequence[PartOracle],
        *,
        each: bool = False,
        longer: float = 1.0,
    ) -> list[Outcome]:
        """Every part's outcome. One sandbox serves them all, unless a part must be killed: the rest get a new one.

        ``each``: every result is sent at once, so that a wrong one is seen before a later call hangs. Time limits are
        ``longer`` times what the oracle asks for.
        """
        outcomes: list[Outcome] = []
        while len(outcomes) < len(oracle):
            rest = oracle[len(outcomes) :]
            program = language.calls(code, task.entry_point, [part.packed(language, each=each) for part in rest])
            async with self._sandbox.start(program, self._limits) as run:
                records = Records(run)
                await records.ready()
                async for outcome in _judge_parts(records, run, rest, language.start_seconds, longer):
                    outcomes.append(outcome)
        return outcomes


async def _judge_parts(
    records: Records, run: Run, oracle: Sequence[PartOracle], start: float, longer: float
) -> AsyncIterator[Outcome]:
    """The outcomes of a run's parts in order; at least one, and no more once the run has to be killed."""
    for part in oracle:
        reader = _PartReader(records, part, start * longer, longer)
        outcome = await reader.outcome()
        if outcome.status is Status.COMPILE_ERROR:
            for _ in oracle:
                yield outcome
            return
        if outcome.status is Status.FAIL and run.out_of_memory():
            outcome = Outcome(Status.FAIL, f"{outcome.detail} (out of memory)")
        if outcome.status is Status.TIMEOUT:
            outcome = replace(outcome, final=reader.had_its_time(run.cpu_seconds()))
        yield outcome
        if part is oracle[-1] or outcome.status is Status.TIMEOUT or not await reader.reach_end():
            return


class _PartReader:
    """Follows one part's records, and stops at the first wrong one."""

    def __init__(self, records: Records, oracle: PartOracle, start: float, longer: float) -> None:
        self._records = records
        self._oracle = oracle
        self._start_seconds = start
        self._longer = longer
        self._clock = asyncio.get_running_loop().time
        self._end = self._clock() + start + oracle.seconds * longer
        self._ended = False
        self._started = self._clock()
        self._near = False

    def had_its_time(self, cpu_seconds: float | None) -> bool:
        """After a timeout: whether it was not starved, and not close to its limit either."""
        busy = cpu_seconds is not None and cpu_seconds >= _BUSY * (self._clock() - self._started)
        return busy and not self._near

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
        record = await self._records.next(self._clock() + self._start_seconds)
        if record and record.kind is Kind.COMPILE_ERROR:
            return Outcome(Status.COMPILE_ERROR, one_line(record.payload))
        return None if record and record.kind is Kind.STARTED else self._broken(record, "")

    async def _call(self, index: int) -> Outcome | None:
        call = self._oracle.calls[index]
        deadline = min(self._end, self._clock() + (call.limit + _SLACK_SECONDS) * self._longer)
        try:
            record = await self._records.next(deadline, call.max_size)
        except TimeoutError:
            with contextlib.suppress(MalformedStream):
                await self._records.next(deadline + _NEAR * call.limit, call.max_size)
            self._near = True
            raise
        if record is None or record.kind is not Kind.VALUE:
            return self._broken(record, self._oracle.show(index))
        if not self._oracle.accepts(index, record.payload):
            return Outcome(Status.FAIL, f"{self._oracle.part.name}: {self._oracle.show(index)} is wrong")
        return None

    def _broken(self, record: Record | None, shown: str) -> Outcome:
        self._ended = record is not None and record.kind is Kind.END
        what = "the program ended before its results" if record is None or self._ended else one_line(record.payload)
        return Outcome(Status.FAIL, f"{self._oracle.part.name}: {shown}{': ' if shown else ''}{what}")
