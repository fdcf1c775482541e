"""What a policy may require of a route: one class each, and each says in a sentence why it kept or dropped a route."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor
from typing import ClassVar, Literal, Protocol

from backends.route import Residency, Route
from policies.correctness import Correctness
from policies.scorecard import Evidence, Scorecard

MAX_UNSCORED_SHARE = 0.02
"""A gate refuses a scorecard with a larger share of no_answer and unscorable samples among those asked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one requirement found on one route. ``reason`` is a sentence for people."""

    requirement: str
    kept: bool
    reason: str
    figure: float | None = None
    run_id: str | None = None
    measured: bool = True
    """False: there was nothing to judge by, and the policy's ``unmeasured`` decides."""


class Requirement(Protocol):
    """Judged once when the evidence changes, never per request."""

    @property
    def name(self) -> str: ...

    @property
    def hard(self) -> bool:
        """A hard requirement is a fact of the route and is never waived; the others rest on evidence."""
        ...

    def judge(self, route: Route, evidence: Evidence) -> Finding: ...


@dataclass(frozen=True, slots=True)
class PassAt1:
    """The lower confidence bound of pass@1 on ``suite`` is at least ``at_least``.

    ``language`` None is the whole suite: its only language, or all of them together.
    """

    name: ClassVar[str] = "pass_at_1"
    hard: ClassVar[bool] = False

    suite: str
    at_least: float
    language: str | None = None
    confidence: float = 0.95
    min_tasks: int = 1

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        card = evidence.scorecard(route.name, route.revision.id, self.suite, self.language)
        if card is None:
            return _unmeasured(self.name, self._missing(route, evidence))
        if (refusal := _refusal(self.name, card)) is not None:
            return refusal
        if card.pass_at_1 is None or card.tasks < self.min_tasks:
            reason = f"{self._where} was scored on {card.tasks} tasks, fewer than the required {self.min_tasks}"
            return Finding(self.name, False, f"{reason}; run {card.run_id}", None, card.run_id, measured=False)
        bound = Correctness.of(card).lower(self.confidence)
        kept = bound >= self.at_least
        # Rounded down: a bound just below the bar must not read as if it met it.
        shown = floor(bound * 1000) / 1000
        reason = (
            f"pass@1 on {self._where} is at least {shown:.3f} with {self.confidence * 100:g}% confidence"
            f" ({card.pass_at_1:.3f} over {card.tasks} tasks), {'which meets' if kept else 'below'}"
            f" the required {self.at_least:g}; run {card.run_id}"
        )
        return Finding(self.name, kept, reason, bound, card.run_id)

    @property
    def _where(self) -> str:
        return f"{self.suite} ({self.language})" if self.language else self.suite

    def _missing(self, route: Route, evidence: Evidence) -> str:
        cards = evidence.of_revision(route.name, route.revision.id)
        languages = {card.language for card in cards if card.suite == self.suite}
        if self.language is None and languages:
            return f"{self.suite} is measured in {listed(languages)}, and the policy names no language"
        return f"not measured on {self._where} at revision {route.revision.id}"


@dataclass(frozen=True, slots=True)
class LatencyP99:
    """A time at p99 is at most ``at_most_ms``, by the run on ``suite``, or by the newest run when that is None."""

    hard: ClassVar[bool] = False

    name: Literal["ttft_p99_ms", "total_p99_ms"]
    at_most_ms: float
    suite: str | None = None
    language: str | None = None

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        card = timed_scorecard(evidence, route, self.suite, self.language)
        figure: float | None = getattr(card, self.name, None)
        what = "first token" if self.name == "ttft_p99_ms" else "whole request"
        if card is None or figure is None:
            return _unmeasured(self.name, f"no run has timed the {what} at revision {route.revision.id}")
        if (refusal := _refusal(self.name, card)) is not None:
            return refusal
        kept = figure <= self.at_most_ms
        reason = (
            f"{what} at p99 is {figure:,.0f} ms on {card.suite}, {'within' if kept else 'above'}"
            f" the required {self.at_most_ms:,.0f} ms; run {card.run_id}"
        )
        return Finding(self.name, kept, reason, figure, card.run_id)


@dataclass(frozen=True, slots=True)
class ResidencyIs:
    """Where the prompt may go."""

    name: ClassVar[str] = "residency"
    hard: ClassVar[bool] = True

    residency: Residency

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        kept = route.residency == self.residency
        reason = f"residency is {route.residency}"
        return Finding(self.name, kept, reason if kept else f"{reason}, not the required {self.residency}")


@dataclass(frozen=True, slots=True)
class LicenceIn:
    """The model's licence is one of those allowed."""

    name: ClassVar[str] = "licence"
    hard: ClassVar[bool] = True

    allowed: frozenset[str]

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        kept = route.licence in self.allowed
        reason = f"licence is {route.licence}" if route.licence else "no licence is declared"
        return Finding(self.name, kept, reason if kept else f"{reason}; allowed: {listed(self.allowed)}")


@dataclass(frozen=True, slots=True)
class OpenWeights:
    """The model's weights are open, or are closed. A route that declares neither is dropped."""

    name: ClassVar[str] = "open_weights"
    hard: ClassVar[bool] = True

    required: bool

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        kept = route.open_weights is self.required
        reason = {None: "nothing is declared of its weights", True: "weights are open", False: "weights are closed"}
        wanted = "" if kept else f"; {'open' if self.required else 'closed'} weights are required"
        return Finding(self.name, kept, reason[route.open_weights] + wanted)


@dataclass(frozen=True, slots=True)
class ContextAtLeast:
    """The route declares a context window of at least so many tokens."""

    name: ClassVar[str] = "context"
    hard: ClassVar[bool] = True

    tokens: int

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        if route.context_window is None:
            return Finding(self.name, False, f"no context window is declared; {self.tokens:,} tokens are required")
        kept = route.context_window >= self.tokens
        relation = "covers" if kept else "is below"
        reason = f"context window of {route.context_window:,} tokens {relation} the required {self.tokens:,}"
        return Finding(self.name, kept, reason, route.context_window)


@dataclass(frozen=True, slots=True)
class LanguagesInclude:
    """The route may be used for every one of these programming languages."""

    name: ClassVar[str] = "languages"
    hard: ClassVar[bool] = True

    languages: frozenset[str]

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        missing = frozenset[str]() if route.languages is None else self.languages - route.languages
        if missing:
            return Finding(self.name, False, f"not to be used for {listed(missing)}, which the policy requires")
        return Finding(self.name, True, f"may be used for {listed(self.languages)}")


def timed_scorecard(evidence: Evidence, route: Route, suite: str | None, language: str | None) -> Scorecard | None:
    """The scorecard whose times count: the one on ``suite``, or the newest whole one that has times."""
    if suite is not None:
        return evidence.scorecard(route.name, route.revision.id, suite, language)
    cards = evidence.of_revision(route.name, route.revision.id)
    return next((card for card in cards if not card.partial and card.ttft_p50_ms is not None), None)


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _unmeasured(requirement: str, reason: str) -> Finding:
    return Finding(requirement, False, reason, measured=False)


def _refusal(requirement: str, card: Scorecard) -> Finding | None:
    """A gate believes only whole scorecards in which nearly every sample was scored."""
    if card.partial:
        reason = f"run {card.run_id} asked only a part of {card.suite}, and a gate needs the whole suite"
        return Finding(requirement, False, reason, None, card.run_id, measured=False)
    unscored = card.no_answer + card.unscorable
    if unscored > MAX_UNSCORED_SHARE * card.asked:
        reason = (
            f"{unscored} of {card.asked} samples have no score ({card.no_answer} no_answer, {card.unscorable}"
            f" unscorable), more than the {MAX_UNSCORED_SHARE:.0%} that a gate accepts; run {card.run_id}"
        )
        return Finding(requirement, False, reason, unscored / card.asked, card.run_id)
    return None
