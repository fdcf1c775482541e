"""A finished replay in at most ten lines, or as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evaluator.figures import dollars, duration, milliseconds, share
from evaluator.replaying.cache_honesty import CacheReport
from evaluator.replaying.plan import Plan
from evaluator.scorecards import Tally
from evaluator.statistics import quantile
from evaluator.statistics.stopping import Decision, Verdict
from evaluator.verdict import Status
from policies.scorecard import Scorecard

_CONFIDENCE = 0.95
_SAID: dict[tuple[Verdict, bool], str] = {
    ("met", False): "MET",
    ("met", True): "MET (the rest cannot flip it)",
    ("below", False): "NOT met (it is below)",
    ("below", True): "NOT met (it is below, and the rest cannot flip it)",
    ("futile", False): "NOT met (futile: the rest would hardly flip it)",
    ("futile", True): "NOT met (the rest cannot flip it)",
    ("undecided", True): "NOT shown, nor is the opposite,",
}
"""A verdict, and whether it is certain."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of the scorecards. ``as_wanted`` is False if the gateway did not take them."""

    as_wanted: bool
    note: str


@dataclass(frozen=True, slots=True)
class Summary:
    """``tally`` is over all routes and languages of the run; ``asked_now`` and ``seconds`` are this command's own."""

    plan: Plan
    folder: Path
    tally: Tally
    cards: Sequence[Scorecard]
    asked_now: int
    seconds: float
    posted: Posted
    command: str
    decision: Decision | None = None
    """Of a replay with ``until``."""
    asked_tasks: int = 0
    """With ``until``: of which a sample was asked."""
    cached: CacheReport | None = None
    """Where the cache was asked, too."""

    def lines(self) -> list[str]:
        return [
            self._title(),
            self._correctness(),
            *self._routes(),
            self._samples(),
            *([] if self.cached is None else [self.cached.line()]),
            *self._errors(),
            self._latency(),
            self._cost(),
            f"  time     {duration(self.seconds)} for {self.asked_now} samples asked by this command",
            f"  results  {self.folder}; scorecards {self.posted.note}",
            f"  again    {self.command}",
        ]

    def as_json(self) -> dict[str, object]:
        tally = self.tally
        low, high, method = self._interval()
        return {
            "run_id": self.folder.name,
            "folder": str(self.folder),
            "command": self.command,
            "summary": {
                "suite": self.plan.suite_name,
                "target": asdict(self.plan.target),
                "partial": self._is_partial,
                "until": self._until(),
                "tasks": len(tally.tasks),
                "repetitions": self.plan.samples,
                "pass_at_1": tally.pass_at_1,
                "interval": {"low": low, "high": high, "confidence": _CONFIDENCE, "method": method},
                f"pass_at_{self.plan.samples}": tally.pass_at(self.plan.samples),
                "base_pass_at_1": tally.base_pass_at_1,
                "asked": tally.asked,
                "scored": tally.scored,
                "no_answer": tally.statuses[Status.NO_ANSWER],
                "unscorable": tally.statuses[Status.UNSCORABLE],
                "statuses": {status.value: tally.statuses[status] for status in Status if tally.statuses[status]},
                "from_cache": tally.from_cache,
                "errors": dict(tally.reasons.most_common(10)),
                "cost_nanousd": None if tally.cost_is_unknown else tally.cost_nanousd,
                "cost_unknown": tally.cost_unknown,
                "asked_now": self.asked_now,
                "seconds": round(self.seconds, 3),
                "posted": self.posted.note,
                **({} if self.cached is None else {"cache": self.cached.as_json()}),
            },
            "scorecards": [asdict(card) for card in self.cards],
        }

    def _title(self) -> str:
        plan = self.plan
        title = f"{plan.suite_name} on {plan.target.kind} {plan.target.name}, revision {plan.target.revision}"
        if plan.is_slice:
            title += f": PARTIAL, {len(plan.tasks)} tasks drawn with seed {plan.seed}"
        if self.decision is not None:
            title += self._decided(self.decision)
        return (
            title
            if self.asked_now or not self.tally.asked
            else f"{title} (was complete: nothing was asked; --new-run asks again)"
        )

    def _decided(self, decision: Decision) -> str:
        tasks = len(self.plan.tasks)
        label = "PARTIAL, " if self._is_partial else ""
        if not decision.tasks:
            return f": {label}{tasks} tasks are too few to show {self.plan.until}; nothing was asked"
        said = (
            f"{self.plan.until} is {_SAID[decision.verdict, decision.certain]} after {decision.tasks} of {tasks} tasks"
        )
        return f": {label}{said}; saved {self._saved_tasks} tasks, {self._saved_samples} samples"

    @property
    def _saved_samples(self) -> int:
        return self.plan.total - self.tally.asked - self.tally.from_cache

    @property
    def _saved_tasks(self) -> int:
        """Of which nothing was asked; some others were in flight when it was decided."""
        return len(self.plan.tasks) - self.asked_tasks

    @property
    def _is_partial(self) -> bool:
        return self.plan.is_slice or (self.decision is not None and self._saved_samples > 0)

    def _interval(self) -> tuple[float, float, str]:
        """Of a replay that stopped early only the sequence's holds: it chose its moment by what it saw."""
        if self.decision is not None and self._is_partial:
            return self.decision.low, self.decision.high, "betting, at any time"
        correctness = self.tally.correctness
        low, high = correctness.interval(_CONFIDENCE) or (0.0, 1.0)
        return low, high, correctness.method

    def _until(self) -> dict[str, object] | None:
        if self.decision is None or self.plan.until is None:
            return None
        return {
            "condition": str(self.plan.until),
            "confidence": self.plan.until.confidence,
            **asdict(self.decision),
            "tasks_saved": self._saved_tasks,
            "samples_saved": self._saved_samples,
        }

    def _correctness(self) -> str:
        tally, k = self.tally, self.plan.samples
        low, high, _ = self._interval()
        parts = [f"  pass@1   {share(tally.pass_at_1)}  [{low:.3f}, {high:.3f}] at 95%, n = {len(tally.tasks)} tasks"]
        if k > 1:
            parts.append(f"pass@{k} {share(tally.pass_at(k))}")
        if tally.has_base:
            parts.append(f"base {share(tally.base_pass_at_1)}")
        return "; ".join(parts)

    def _routes(self) -> list[str]:
        """For a policy, who answered: which tasks a route got was the policy's choice, so these are not its score."""
        if self.plan.target.kind == "route":
            return []
        routes = [f"{card.route} {share(card.pass_at_1)} of {card.asked}" for card in self.cards]
        shown = ", ".join(routes[:6]) + (f" and {len(routes) - 6} more" if len(routes) > 6 else "")
        return [f"  routes   {shown} samples (chosen by the policy: not the routes' own scores)"]

    def _samples(self) -> str:
        tally = self.tally
        scored = ", ".join(
            f"{tally.statuses[status]} {status}" for status in Status if status.scored and tally.statuses[status]
        )
        line = f"  samples  {tally.asked} = {tally.scored} scored" + (f" ({scored})" if scored else "")
        line += f" + {tally.statuses[Status.NO_ANSWER]} no answer + {tally.statuses[Status.UNSCORABLE]} unscorable"
        return line + (f"; {tally.from_cache} from cache, left out" if tally.from_cache else "")

    def _errors(self) -> list[str]:
        """The most frequent reason for samples without a score."""
        most = self.tally.reasons.most_common(1)
        return [f"  errors   {count} x {' '.join(reason.split())[:200]}" for reason, count in most]

    def _latency(self) -> str:
        times = []
        for name, values in (("first token", self.tally.ttft_ms), ("whole", self.tally.total_ms)):
            p50, p99 = milliseconds(quantile(values, 0.5)), milliseconds(quantile(values, 0.99))
            times.append(f"{name} p50 {p50}, p99 {p99}")
        return "  latency  " + "; ".join(times)

    def _cost(self) -> str:
        tally = self.tally
        passes = tally.statuses[Status.PASS]
        tokens = f"{tally.input_tokens:,} tokens in, {tally.output_tokens:,} out"
        if tally.cost_is_unknown:
            return f"  cost     unknown; {tokens}"
        solved = f"{dollars(tally.cost_nanousd / passes)} a solved sample" if passes else "nothing solved"
        missing = f", {tally.cost_unknown} samples' cost unknown" if tally.cost_unknown else ""
        return f"  cost     {dollars(tally.cost_nanousd)} ({solved}{missing}); {tokens}"
