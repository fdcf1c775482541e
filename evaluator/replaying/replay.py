"""A suite through a live route: asking and judging overlap, and whatever is finished is on the disk at once."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from evaluator.replaying.asking import Asker, Retries
from evaluator.replaying.cache_honesty import CacheCheck
from evaluator.replaying.client import Bill, Client
from evaluator.replaying.plan import Plan
from evaluator.replaying.progress import Progress
from evaluator.replaying.until import Watch
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder
from evaluator.suites.suite import Task
from evaluator.verdict import Status, Verdict


class Verdicts(Protocol):
    """The judge, as far as a replay needs it."""

    async def verdict(self, task: Task, sample: int, answer: str) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """``concurrency``: calls in flight. ``judging``: samples that the judge takes at once.

    Their sum settles: looking up what a sample cost waits for the gateway's ledger and should not hold up the judge.
    """

    concurrency: int
    judging: int


class Replay:
    """One run of a plan into its folder. Memory is bounded by counts and the queue, never by all the answers."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        client: Client,
        judge: Verdicts,
        progress: Progress,
        *,
        limits: Limits,
        retries: Retries,
        watch: Watch | None = None,
        cached: CacheCheck | None = None,
        on_judged: Callable[[Sample, Outcome], None] | None = None,
    ) -> None:
        """``on_judged`` is told of every sample that this command judges; their requests are traced then."""
        self._plan = plan
        self._folder = folder
        self._client = client
        self._judge = judge
        self._progress = progress
        self._limits = limits
        self._asker = Asker(client, plan, retries, progress, traced=on_judged is not None)
        self._on_judged = on_judged
        self._tasks = {task.task_id: task for task in plan.tasks}
        self._asked = 0
        self._watch = watch
        self._cached = cached
        self._stored, self._settled = _recovered(folder, progress, watch)
        self._settlers = limits.judging + limits.concurrency
        self._queue: asyncio.Queue[Sample | None] = asyncio.Queue(maxsize=self._settlers)
        # Who may stop soon asks no further ahead than it must.
        self._unsettled = asyncio.Semaphore(limits.concurrency if watch is not None else 3 * self._settlers)

    async def run(self) -> None:
        """Asks what was never answered, until a watch has decided, and judges what was never judged.

        Raises Refused and Unreachable.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._settlers):
                    group.create_task(self._settle_queued())
                group.create_task(self._fill_queue())
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    @property
    def asked(self) -> int:
        """Samples asked by this command, not by an earlier one."""
        return self._asked

    async def _fill_queue(self) -> None:
        for sample in self._folder.samples.rows():
            if sample.key not in self._settled:
                await self._unsettled.acquire()
                await self._queue.put(sample)
        missing = ((task, number) for task, number in self._plan.rounds() if (task.task_id, number) not in self._stored)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._limits.concurrency):
                group.create_task(self._ask(missing))
        for _ in range(self._settlers):
            await self._queue.put(None)

    async def _ask(self, missing: Iterator[tuple[Task, int]]) -> None:
        for task, number in missing:
            await self._unsettled.acquire()
            if self._watch is not None and self._watch.decision is not None:
                self._unsettled.release()
                return
            sample = await self._sample(task, number)
            await asyncio.to_thread(self._folder.samples.append, sample)
            self._asked += 1
            await self._queue.put(sample)

    async def _sample(self, task: Task, number: int) -> Sample:
        if self._cached is None:
            return await self._asker.sample(task, number)
        async with self._cached.alone(task):
            sample = await self._asker.sample(task, number)
            await self._cached.compare(task, sample)
        return sample

    async def _settle_queued(self) -> None:
        while (sample := await self._queue.get()) is not None:
            outcome = None if sample.repeats_another else await self._settle(sample)
            if outcome is not None:
                await asyncio.to_thread(self._folder.outcomes.append, outcome)
                if self._on_judged is not None:
                    self._on_judged(sample, outcome)
            _count(sample, outcome, self._progress, self._watch)
            self._unsettled.release()

    async def _settle(self, sample: Sample) -> Outcome:
        verdict, bills = await asyncio.gather(self._verdict(sample), self._bills(sample))
        known = [bill for bill in bills if bill is not None]
        return Outcome(
            verdict.task_id,
            verdict.sample,
            verdict.status,
            verdict.base,
            verdict.plus,
            verdict.detail,
            cost_nanousd=sum(bill.cost_nanousd for bill in known) if known and len(known) == len(bills) else None,
            gateway_attempts=bills[-1].attempts if bills and bills[-1] else 1,
        )

    async def _verdict(self, sample: Sample) -> Verdict:
        if sample.answer is None:
            return Verdict(sample.task_id, sample.sample, Status.NO_ANSWER, detail=sample.error)
        with self._progress.doing("judging"):
            return await self._judge.verdict(self._tasks[sample.task_id], sample.sample, sample.answer)

    async def _bills(self, sample: Sample) -> list[Bill | None]:
        if not self._plan.target.is_gateway:
            return []
        return [await self._client.bill(request_id) for request_id in sample.request_ids]


def _count(sample: Sample, outcome: Outcome | None, progress: Progress, watch: Watch | None) -> None:
    if outcome is None:
        progress.tally.add_repeat()
    else:
        progress.tally.add(sample, outcome)
    if watch is not None:
        watch.take(sample, outcome)


def _recovered(
    folder: RunFolder, progress: Progress, watch: Watch | None
) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """The keys of stored and of settled samples; ``progress`` and ``watch`` count the settled ones.

    An ``unscorable`` sample is not settled: the sandbox may have been mended, and judging again asks nobody.
    """
    outcomes = {outcome.key: outcome for outcome in folder.outcomes.rows() if outcome.status is not Status.UNSCORABLE}
    stored: set[tuple[str, int]] = set()
    settled: set[tuple[str, int]] = set()
    for sample in folder.samples.rows():
        stored.add(sample.key)
        outcome = None if sample.repeats_another else outcomes.get(sample.key)
        if sample.repeats_another or outcome is not None:
            _count(sample, outcome, progress, watch)
            settled.add(sample.key)
    progress.resume()
    return stored, settled


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Workers fail for the same reason; one of them tells it."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
