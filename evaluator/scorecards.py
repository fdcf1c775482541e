"""From samples and verdicts to scorecards."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from evaluator.replaying.plan import Plan
from evaluator.statistics import mean_pass_at_k, quantile, source_problem
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder
from evaluator.verdict import Status
from policies.correctness import Correctness
from policies.scorecard import ALL_LANGUAGES, Scorecard, Unit

UNROUTED = "unrouted"
"""Stands for the route in a policy's failures that no route answered for."""


@dataclass(slots=True)
class _TaskCount:
    problem: str
    scored: int = 0
    passes: int = 0
    base_passes: int = 0


@dataclass(slots=True)
class Tally:
    """Adds up settled samples; holds numbers only, so its size is bounded by tasks and samples, not by answers."""

    asked: int = 0
    from_cache: int = 0
    """Repeats of another sample's answer: shown apart, part of nothing else here."""
    statuses: Counter[Status] = field(default_factory=Counter)
    tasks: dict[str, _TaskCount] = field(default_factory=dict)
    has_base: bool = False
    ttft_ms: list[float] = field(default_factory=list)
    total_ms: list[float] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int = 0
    cost_unknown: int = 0
    """Samples whose cost nobody told."""
    measured_at: str = ""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why samples were not scored: at most a hundred different ones."""

    def add_repeat(self) -> None:
        self.from_cache += 1

    def add(self, sample: Sample, outcome: Outcome) -> None:
        self.asked += 1
        self.statuses[outcome.status] += 1
        self.measured_at = max(self.measured_at, sample.asked_at)
        self.input_tokens += sample.input_tokens
        self.output_tokens += sample.output_tokens
        self.cost_nanousd += outcome.cost_nanousd or 0
        self.cost_unknown += outcome.cost_nanousd is None
        self._add_times(sample, outcome)
        if not outcome.status.scored and (outcome.detail in self.reasons or len(self.reasons) < 100):
            self.reasons[outcome.detail] += 1
        self.has_base |= outcome.base is not None
        if outcome.status.scored:
            task = self.tasks.setdefault(sample.task_id, _TaskCount(source_problem(sample.task_id, sample.language)))
            task.scored += 1
            task.passes += outcome.status is Status.PASS
            task.base_passes += outcome.base is Status.PASS

    def _add_times(self, sample: Sample, outcome: Outcome) -> None:
        """Answers got by trying again, here or in the gateway, would time the failure and not the route."""
        if sample.answer is None or sample.tries > 1 or outcome.gateway_attempts > 1:
            return
        if sample.ttft_ms is not None:
            self.ttft_ms.append(sample.ttft_ms)
        if sample.total_ms is not None:
            self.total_ms.append(sample.total_ms)

    @property
    def cost_is_unknown(self) -> bool:
        """Nobody told the cost of any sample."""
        return self.cost_unknown == self.asked > 0

    @property
    def scored(self) -> int:
        return sum(count for status, count in self.statuses.items() if status.scored)

    @property
    def pass_at_1(self) -> float | None:
        """The mean over tasks of passes / scored repetitions."""
        return _mean([task.passes / task.scored for task in self.tasks.values()])

    @property
    def base_pass_at_1(self) -> float | None:
        if not self.has_base:
            return None
        return _mean([task.base_passes / task.scored for task in self.tasks.values()])

    def pass_at(self, k: int) -> float | None:
        """pass@k; None unless every task has ``k`` scored samples."""
        return mean_pass_at_k([(task.scored, task.passes) for task in self.tasks.values()], k)

    @property
    def correctness(self) -> Correctness:
        once = all(task.scored == 1 for task in self.tasks.values())
        return Correctness(self.pass_at_1, len(self.tasks), once, self.units())

    def units(self) -> tuple[Unit, ...]:
        """How often which sum of x occurs among source problems of which number of tasks."""
        problems: dict[str, list[Fraction]] = {}
        for task in self.tasks.values():
            problems.setdefault(task.problem, []).append(Fraction(task.passes, task.scored))
        kinds = Counter((sum(x), len(x)) for x in problems.values())
        return tuple(Unit(float(x), tasks, count) for (x, tasks), count in sorted(kinds.items()))


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


@dataclass(frozen=True, slots=True)
class Group:
    """What one scorecard is about."""

    route: str
    revision: str
    language: str


def settled_samples(folder: RunFolder) -> Iterator[tuple[Sample, Outcome | None]]:
    """Every sample of a finished run with its outcome, which only a repeat of another sample lacks."""
    outcomes = {outcome.key: outcome for outcome in folder.outcomes.rows()}
    for sample in folder.samples.rows():
        yield sample, outcomes.get(sample.key)


def tallies(plan: Plan, folder: RunFolder) -> dict[Group, Tally]:
    """A tally a route, revision and language, in the suite's order of languages.

    Where the plan has several languages, tallies of all of them together come last.
    """
    languages = {task.task_id: task.language for task in plan.tasks}
    together = [ALL_LANGUAGES] if len(set(languages.values())) > 1 else []
    groups: dict[Group, Tally] = {}
    for sample, outcome in settled_samples(folder):
        sample = replace(sample, language=languages[sample.task_id])
        for language in (sample.language, *together):
            tally = groups.setdefault(_group(plan, sample, language), Tally())
            if outcome is None:
                tally.add_repeat()
            else:
                tally.add(sample, outcome)
    order = [*dict.fromkeys(languages.values()), *together]
    return dict(sorted(groups.items(), key=lambda item: order.index(item[0].language)))


def _group(plan: Plan, sample: Sample, language: str) -> Group:
    pinned = plan.target.kind == "route"
    return Group(
        sample.route or (plan.target.name if pinned else UNROUTED),
        sample.revision or (plan.target.revision if pinned else UNROUTED),
        language,
    )


def scorecards(plan: Plan, folder: RunFolder, manifest: Mapping[str, object]) -> list[Scorecard]:
    """One for each route, revision and language that answered or failed, unless only from a cache.

    A suite in several languages has one more for each route and revision, for all of them together, the last ones.
    """
    return [
        _scorecard(plan, group, tally, folder.run_id, manifest)
        for group, tally in tallies(plan, folder).items()
        if tally.asked
    ]


def _scorecard(plan: Plan, group: Group, tally: Tally, run_id: str, manifest: Mapping[str, object]) -> Scorecard:
    """Whole only if this one revision was asked every task of the language, as often as planned, by its own name."""
    planned = plan.samples * sum(group.language in (task.language, ALL_LANGUAGES) for task in plan.tasks)
    partial = plan.is_slice or plan.target.kind == "policy" or tally.asked != planned
    subject = Subject(run_id, plan.suite_name, plan.suite_hash, plan.samples)
    return scorecard(subject, group, tally, manifest, partial=partial)


@dataclass(frozen=True, slots=True)
class Subject:
    """The run that was measured, and what it asked."""

    run_id: str
    suite: str
    suite_hash: str
    repetitions: int


def scorecard(
    subject: Subject, group: Group, tally: Tally, manifest: Mapping[str, object], *, partial: bool
) -> Scorecard:
    no_answer, unscorable = tally.statuses[Status.NO_ANSWER], tally.statuses[Status.UNSCORABLE]
    assert tally.scored + no_answer + unscorable == tally.asked, "a sample is missing from its scorecard"
    return Scorecard(
        run_id=subject.run_id,
        route=group.route,
        revision=group.revision,
        suite=subject.suite,
        suite_hash=subject.suite_hash,
        language=group.language,
        measured_at=tally.measured_at,
        tasks=len(tally.tasks),
        repetitions=subject.repetitions,
        asked=tally.asked,
        scored=tally.scored,
        no_answer=no_answer,
        unscorable=unscorable,
        pass_at_1=tally.pass_at_1,
        units=tally.units(),
        statuses={status.value: tally.statuses[status] for status in Status if tally.statuses[status]},
        base_pass_at_1=tally.base_pass_at_1,
        ttft_p50_ms=quantile(tally.ttft_ms, 0.50),
        ttft_p99_ms=quantile(tally.ttft_ms, 0.99),
        total_p50_ms=quantile(tally.total_ms, 0.50),
        total_p99_ms=quantile(tally.total_ms, 0.99),
        input_tokens=tally.input_tokens,
        output_tokens=tally.output_tokens,
        cost_nanousd=tally.cost_nanousd,
        partial=partial,
        manifest={**manifest, "from_cache": tally.from_cache, "cost_unknown": tally.cost_unknown},
    )
