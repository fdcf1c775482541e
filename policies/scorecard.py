"""What was measured of a route's revision on one suite in one language: the evidence that decisions weigh."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from policies.admission import Admission
from policies.live import LiveTimes

Origin = Literal["measured", "published"]

ALL_LANGUAGES = "all"
"""The language of a scorecard that is about all languages of its suite together."""


@dataclass(frozen=True, slots=True)
class Unit:
    """``count`` source problems with ``tasks`` tasks each, one a language, whose x add up to ``x``."""

    x: float
    tasks: int
    count: int


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One run's result for one route revision, suite and language.

    Always: ``scored + no_answer + unscorable == asked`` (samples). Correctness is over tasks: a task's x is its passes
    divided by its scored repetitions, and ``pass_at_1`` is the mean of x over the ``tasks`` that have one.
    Times are milliseconds; money is nano-dollars.
    """

    run_id: str
    route: str
    revision: str
    suite: str
    suite_hash: str
    language: str
    measured_at: str
    """ISO 8601, UTC."""
    tasks: int
    """Tasks with at least one scored sample. 0 beside a published ``pass_at_1`` that does not say how many."""
    repetitions: int
    asked: int
    scored: int
    no_answer: int
    unscorable: int
    pass_at_1: float | None
    """None when nothing was scored."""
    units: tuple[Unit, ...] = ()
    """What the bounds need: how x is distributed over independent units. Empty when not told."""
    statuses: Mapping[str, int] = field(default_factory=dict)
    """Samples by status (pass, fail, timeout, compile_error, no_code, no_answer, unscorable)."""
    base_pass_at_1: float | None = None
    """The same on the base tests alone, for suites that have base and plus tests."""
    ttft_p50_ms: float | None = None
    ttft_p99_ms: float | None = None
    total_p50_ms: float | None = None
    total_p99_ms: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost_nanousd: int = 0
    origin: Origin = "measured"
    partial: bool = False
    """Only some of the suite's tasks were asked; shown as such, never used by a gate."""
    manifest: Mapping[str, object] = field(default_factory=dict)
    """How it was measured: sampling, limits, host, price date, and the command that repeats it."""


class Evidence(Protocol):
    """Where a decision finds scorecards. An implementation is an immutable snapshot."""

    def scorecard(self, route: str, revision: str, suite: str, language: str | None) -> Scorecard | None:
        """The newest whole scorecard of this revision, or the newest partial one when none is whole.

        ``language`` None asks for the whole suite: its only language, or else all of them together, if such a scorecard
        is there.
        """
        ...

    def of_revision(self, route: str, revision: str) -> tuple[Scorecard, ...]:
        """What :meth:`scorecard` finds for each suite and language of this revision, newest first."""
        ...

    def admissions(self, route: str, revision: str, suite: str, language: str | None) -> tuple[Admission, ...]:
        """What watching has decided about this revision on one suite: at most one a bar."""
        ...

    def live_times(self, route: str, revision: str) -> LiveTimes | None:
        """How fast it answers now; None where it has not been asked."""
        ...


class EvidenceByOrigin(Protocol):
    """What was measured and what was published, which no decision mixes."""

    def of_origin(self, origin: Origin) -> Evidence:
        """Published scorecards are about a model, and so about every revision of a route."""
        ...
