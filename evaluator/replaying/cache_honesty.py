"""Whether the gateway's cache answers as the route does: each sample asked again, and compared with its fresh answer.

What the cache answers is no measurement: it enters no score, no interval and no latency, and is kept apart.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from evaluator.figures import share
from evaluator.replaying.answer import Answer
from evaluator.replaying.client import CallFailed, Client
from evaluator.replaying.plan import Plan
from evaluator.store.journal import Journal
from evaluator.store.records import Again, Outcome, Sample
from evaluator.suites.suite import Task
from evaluator.verdict import Status, Verdict

FILE = "again.jsonl"
_WAITS_S = (0.02, 0.1, 0.5, 2.0)
"""An answer is kept just after its last byte: how long to wait before asking for it, each time."""
_CACHED = ("hit", "shared")


class Verdicts(Protocol):
    """The judge, as far as it is needed here."""

    async def verdict(self, task: Task, sample: int, answer: str) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class CacheReport:
    """Counts of samples."""

    compared: int
    same: int
    """Letter for letter."""
    unlike: tuple[Again, ...]
    """Scored otherwise."""
    not_cached: int
    """The cache did not answer, so nothing was compared."""
    fresh_passes: int
    cached_passes: int

    def line(self) -> str:
        if not self.compared:
            return f"  cache    answered none of {self.not_cached} samples that were asked again: nothing was compared"
        missed = f"; it did not answer {self.not_cached} more" if self.not_cached else ""
        fresh, cached = (share(passes / self.compared) for passes in (self.fresh_passes, self.cached_passes))
        return (
            f"  cache    {self.compared} samples again: {self.same} the same answer, {len(self.unlike)} scored"
            f" otherwise; passed {fresh} fresh, {cached} cached{missed}"
        )

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class CacheCheck:
    """Belongs to one run, whose samples it is shown as they come; ``again.jsonl`` in ``folder`` keeps its rows."""

    def __init__(
        self, folder: Path, plan: Plan, client: Client, judge: Verdicts, *, waits_s: Sequence[float] = _WAITS_S
    ) -> None:
        self._plan = plan
        self._client = client
        self._judge = judge
        self._journal = Journal(folder / FILE, Again)
        self._waits_s = waits_s
        self._locks = {task.task_id: asyncio.Lock() for task in plan.tasks}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.__exit__(kind, error, trace)

    @asynccontextmanager
    async def alone(self, task: Task) -> AsyncIterator[None]:
        """A task's repetitions are one and the same request, so each would overwrite the other's cached answer."""
        async with self._locks[task.task_id]:
            yield

    async def compare(self, task: Task, sample: Sample) -> None:
        """Asks until the cache answers. Raises Refused."""
        if sample.answer is None:
            return
        fresh = (sample.answer, sample.finish_reason)
        row = Again(task.task_id, sample.sample, from_cache=False, asked=len(self._waits_s))
        for asked, wait_s in enumerate(self._waits_s, start=1):
            await asyncio.sleep(wait_s)
            try:
                answer = await self._ask(task)
            except CallFailed:
                continue
            if answer.headers.get("x-weighbridge-cache") in _CACHED:
                row = await self._compared(task, sample, fresh, answer, asked)
                break
            fresh = (answer.text, answer.finish_reason)  # which is what the cache holds now
        await asyncio.to_thread(self._journal.append, row)

    def report(self, outcomes: dict[tuple[str, int], Outcome]) -> CacheReport:
        """``outcomes``: of the run's samples, by key."""
        rows = {(row.task_id, row.sample): row for row in self._journal.rows()}
        compared = [row for row in rows.values() if row.from_cache]
        fresh = [row.fresh or _status(outcomes, row) for row in compared]
        cached = [row.cached or _status(outcomes, row) for row in compared]
        return CacheReport(
            compared=len(compared),
            same=sum(row.same for row in compared),
            unlike=tuple(row for row in compared if row.unlike),
            not_cached=len(rows) - len(compared),
            fresh_passes=fresh.count(Status.PASS),
            cached_passes=cached.count(Status.PASS),
        )

    async def _ask(self, task: Task) -> Answer:
        plan = self._plan
        return await self._client.ask(plan.target.name, task.language, task.prompt, plan.sampling, again=True)

    async def _compared(
        self, task: Task, sample: Sample, fresh: tuple[str, str | None], answer: Answer, asked: int
    ) -> Again:
        key = (task.task_id, sample.sample)
        if fresh == (answer.text, answer.finish_reason):
            return Again(*key, from_cache=True, same=True, asked=asked)
        verdicts = [await self._judge.verdict(task, sample.sample, text) for text in (fresh[0], answer.text)]
        return Again(*key, True, False, verdicts[0].status, verdicts[1].status, asked)


def _status(outcomes: dict[tuple[str, int], Outcome], row: Again) -> str | None:
    outcome = outcomes.get((row.task_id, row.sample))
    return None if outcome is None else outcome.status
