"""What one replay asks for: which tasks of which suite, how often, with which sampling, of whom."""

import hashlib
import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain

from evaluator.replaying.client import CacheMode, Sampling, Target
from evaluator.replaying.wires import Wire
from evaluator.statistics.stopping import Bar
from evaluator.statistics.strata import stratified
from evaluator.suites.suite import Suite, Task


@dataclass(frozen=True, slots=True)
class Plan:
    """Equal plans have equal run ids, so the same command finds its run again."""

    suite_name: str
    suite_hash: str
    tasks: tuple[Task, ...]
    is_slice: bool
    """Only some of the suite's tasks."""
    target: Target
    base_url: str
    sampling: Sampling
    samples: int
    limit: int | None
    seed: int
    cache: CacheMode
    wire: Wire = "chat"
    until: Bar | None = None
    blocks: tuple[tuple[str, ...], ...] = ()
    """With ``until``: ids of the tasks by the blocks in which they are drawn."""

    @classmethod
    def of(
        cls,
        suite: Suite,
        target: Target,
        base_url: str,
        *,
        sampling: Sampling,
        samples: int,
        limit: int | None,
        seed: int,
        cache: CacheMode,
        wire: Wire = "chat",
        until: Bar | None = None,
    ) -> "Plan":
        """``limit`` draws that many tasks without replacement by ``seed``, and keeps the suite's order.

        ``until`` draws all of them by ``seed``, stratified by language; the replay may stop at any. Not both.
        """
        tasks = tuple(suite.tasks)
        is_slice = limit is not None and limit < len(tasks)
        if limit is not None and is_slice:
            chosen = sorted(random.Random(seed).sample(range(len(tasks)), limit))  # noqa: S311
            tasks = tuple(tasks[index] for index in chosen)
        drawn = [] if until is None else stratified(_by_language(tasks), seed)
        return cls(
            suite_name=suite.name,
            suite_hash=suite.hash,
            tasks=tasks if until is None else tuple(chain(*drawn)),
            is_slice=is_slice,
            target=target,
            base_url=base_url,
            sampling=sampling,
            samples=samples,
            limit=limit if is_slice else None,
            seed=seed if is_slice or until is not None else 0,
            cache=cache,
            wire=wire,
            until=until,
            blocks=tuple(tuple(task.task_id for task in block) for block in drawn),
        )

    @property
    def total(self) -> int:
        """Samples in all."""
        return len(self.tasks) * self.samples

    def rounds(self) -> Iterator[tuple[Task, int]]:
        """Every task once, then every task again: repetitions lie apart, so that a prefix cache flatters them less.

        With ``until`` a task's repetitions follow each other, as it counts when all of them are there.
        """
        if self.until is not None:
            return ((task, sample) for task in self.tasks for sample in range(self.samples))
        return ((task, sample) for sample in range(self.samples) for task in self.tasks)

    @property
    def identity(self) -> dict[str, object]:
        """Everything that tells two runs apart, as JSON values."""
        return {
            "suite": self.suite_name,
            "suite_hash": self.suite_hash,
            "target": asdict(self.target),
            "base_url": self.base_url,
            "sampling": asdict(self.sampling),
            "samples": self.samples,
            "limit": self.limit,
            "seed": self.seed,
            "cache": self.cache,
            **({} if self.wire == "chat" else {"wire": self.wire}),
            **({} if self.until is None else {"until": str(self.until)}),
        }

    @property
    def run_id(self) -> str:
        """Suite and target for people, twelve hexadecimal digits of the identity for the rest."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:12]
        return f"{_readable(self.suite_name)}-{_readable(self.target.name)}-{digest}"


def _by_language(tasks: Iterable[Task]) -> list[list[Task]]:
    languages: dict[str, list[Task]] = {}
    for task in tasks:
        languages.setdefault(task.language, []).append(task)
    return list(languages.values())


def _readable(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9+_.]+", "-", name).strip("-.")[:40]
