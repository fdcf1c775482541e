"""One task asked of a live route, judged and billed, as a replay does it, but one after the other."""

from dataclasses import dataclass

from evaluator.judging.judge import Judge
from evaluator.replaying.asking import Asker, Retries
from evaluator.replaying.client import Client, Sampling, Target
from evaluator.replaying.plan import Plan
from evaluator.replaying.progress import Progress
from evaluator.store.records import Outcome, Sample
from evaluator.suites.suite import Suite, Task
from evaluator.verdict import Status, Verdict

_IDENTITY = "watch"
"""Stands for the base URL in a run's identity: the same gateway may be reached in several ways."""
_RETRIES = Retries(limit=2, longest_s=5, obeyed_s=60)


@dataclass(frozen=True, slots=True)
class Weighing:
    """Of one target on one suite."""

    client: Client
    judge: Judge
    suite: Suite
    target: Target
    sampling: Sampling
    seed: int

    @property
    def plan(self) -> Plan:
        return Plan.of(
            self.suite,
            self.target,
            _IDENTITY,
            sampling=self.sampling,
            samples=1,
            limit=None,
            seed=self.seed,
            cache="no-store",
        )

    async def weigh(self, task: Task, number: int) -> tuple[Sample, Outcome] | None:
        """None where another revision answered, or a cache: no measurement of this one. Raises Refused, Unreachable."""
        asker = Asker(self.client, self.plan, _RETRIES, Progress("", 0))
        sample = await asker.sample(task, number)
        if sample.repeats_another or sample.revision not in (None, self.target.revision):
            return None
        verdict = Verdict(task.task_id, number, Status.NO_ANSWER, detail=sample.error)
        if sample.answer is not None:
            verdict = await self.judge.verdict(task, number, sample.answer)
        bills = [await self.client.bill(request_id) for request_id in sample.request_ids]
        known = [bill.cost_nanousd for bill in bills if bill is not None]
        cost = sum(known) if known and len(known) == len(bills) else None
        return sample, Outcome(
            verdict.task_id, number, verdict.status, verdict.base, verdict.plus, verdict.detail, cost_nanousd=cost
        )
