"""The rows of a run's journals."""

from dataclasses import dataclass

from evaluator.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Sample:
    """One repetition of one task as it was asked: a row of ``samples.jsonl``. Times are milliseconds."""

    task_id: str
    sample: int
    asked_at: str
    """ISO 8601, UTC: when the first try was sent."""
    tries: int
    answer: str | None = None
    """None: no try got a whole answer; ``error`` says what the last one met."""
    error: str = ""
    finish_reason: str | None = None
    route: str | None = None
    revision: str | None = None
    """Route and revision as response headers told them; None from an endpoint that is no Weighbridge gateway."""
    cache: str | None = None
    request_ids: tuple[str, ...] = ()
    """Of every try, also failed ones: they cost, too."""
    ttft_ms: float | None = None
    total_ms: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    language: str = ""
    """The task's; empty in runs of earlier versions."""
    trace: str = ""
    """The W3C `traceparent` that its requests carried; empty where they carried none."""

    @property
    def key(self) -> tuple[str, int]:
        return self.task_id, self.sample

    @property
    def repeats_another(self) -> bool:
        """It came from the cache or joined another request's flight: no measurement of its own."""
        return self.cache in ("hit", "shared")


@dataclass(frozen=True, slots=True)
class Again:
    """A sample asked once more, so that the cache answers: a row of ``again.jsonl``. It enters no score."""

    task_id: str
    sample: int
    from_cache: bool
    """False: no asking got an answer from the cache, and there is nothing to compare."""
    same: bool = False
    """The cached answer is the fresh one, letter for letter, and ended alike."""
    fresh: str | None = None
    cached: str | None = None
    """Statuses of both answers where they are not the same: those must not differ, at least."""
    asked: int = 1
    """How often it was asked for that: each time but the last the answer was another fresh one."""

    @property
    def unlike(self) -> bool:
        """The cached answer scored otherwise than the fresh one."""
        return self.from_cache and not self.same and self.fresh != self.cached


@dataclass(frozen=True, slots=True)
class Outcome(Verdict):
    """The verdict on a sample and what it cost: a row of ``verdicts.jsonl``. A later row replaces an earlier one."""

    cost_nanousd: int | None = None
    """None: not known. Nano-dollars."""
    gateway_attempts: int = 1
    """Attempts at routes within the sample's last request."""

    @property
    def key(self) -> tuple[str, int]:
        return self.task_id, self.sample
