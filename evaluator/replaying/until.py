"""A replay that asks only until a bar is decided."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from evaluator.replaying.plan import Plan
from evaluator.statistics.stopping import Bar, Decision, decide
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder
from evaluator.verdict import Status

_FILE = "decision.json"


@dataclass(slots=True)
class _Task:
    settled: int = 0
    scored: int = 0
    passes: int = 0

    @property
    def x(self) -> float | None:
        return self.passes / self.scored if self.scored else None


class Watch:
    """Follows the samples of a run as they settle, and looks whenever the next block of tasks is complete.

    The first decision stands: it is kept in the run's folder, and what is still in flight then changes it no more.
    """

    def __init__(self, bar: Bar, plan: Plan, folder: RunFolder) -> None:
        self._bar = bar
        self._plan = plan
        self._folder = folder
        self._tasks = {task.task_id: _Task() for task in plan.tasks}
        self._complete = 0
        """So many blocks, from the first on, have nothing outstanding."""
        self._looked = -1
        stored = folder.read(_FILE)
        self.decision = Decision(**stored) if stored else None
        self._look()

    @property
    def asked(self) -> int:
        """Tasks with a settled sample."""
        return sum(task.settled > 0 for task in self._tasks.values())

    def take(self, sample: Sample, outcome: Outcome | None) -> None:
        """A settled sample; without an outcome it repeated another and counts for nothing."""
        task = self._tasks[sample.task_id]
        task.settled += 1
        if outcome is not None and outcome.status.scored:
            task.scored += 1
            task.passes += outcome.status is Status.PASS
        self._look()

    def _look(self) -> None:
        blocks = self._plan.blocks
        while self._complete < len(blocks) and self._is_complete(blocks[self._complete]):
            self._complete += 1
        if self.decision is None and self._is_due():
            self._looked = self._complete
            drawn = [[self._tasks[task_id].x for task_id in block] for block in blocks[: self._complete]]
            self.decision = decide(self._bar, drawn, len(self._tasks), once=self._plan.samples == 1)
            if self.decision is not None:
                self._folder.write(_FILE, asdict(self.decision))

    def _is_complete(self, block: Sequence[str]) -> bool:
        return all(self._tasks[task_id].settled == self._plan.samples for task_id in block)

    def _is_due(self) -> bool:
        """After every block at first; later, as a look costs more, whenever there is 1% more to see."""
        new = self._complete - self._looked
        return new > self._looked // 100 or (new > 0 and self._complete == len(self._plan.blocks))
