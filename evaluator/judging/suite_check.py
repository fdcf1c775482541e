"""Whether a suite can be trusted: its canonical solutions pass, and its wrong ones do not."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluator.judging.judge import Judge
from evaluator.suites import Task
from evaluator.verdict import Status, Verdict


@dataclass(frozen=True, slots=True)
class Checked:
    """One of a suite's own programs, judged."""

    task: Task
    wrong: int | None
    """Which of the wrong solutions it is, from 1; None: the canonical one."""
    verdict: Verdict

    @property
    def passed(self) -> bool:
        return self.verdict.status is Status.PASS

    @property
    def as_it_should(self) -> bool | None:
        """None where it could not be judged."""
        if not self.verdict.status.scored:
            return None
        return self.passed is (self.wrong is None)


def programs(tasks: Sequence[Task]) -> list[tuple[Task, int | None, str]]:
    """What there is to judge: each canonical solution that the suite has, with its wrong ones after it."""
    found: list[tuple[Task, int | None, str]] = []
    for task in tasks:
        if task.canonical_solution:
            found.append((task, None, task.canonical_solution))
        found += ((task, number, code) for number, code in enumerate(task.wrong_solutions, 1))
    return found


async def check(
    judge: Judge, tasks: Sequence[Task], heard: Callable[[Checked], None] = lambda checked: None
) -> list[Checked]:
    """Judges all of them, in the suite's order; ``heard`` hears of each as it is done."""

    async def one(task: Task, wrong: int | None, code: str) -> Checked:
        judging = judge.verdict_on_canonical(task) if wrong is None else judge.verdict_on_code(task, wrong, code)
        checked = Checked(task, wrong, await judging)
        heard(checked)
        return checked

    return list(await asyncio.gather(*(one(*program) for program in programs(tasks))))
