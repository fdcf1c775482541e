"""What a policy may require of the evidence on a route: one class each, and each says in a sentence why it decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor
from typing import ClassVar, Literal, Protocol

from backends.route import Route
from policies.admission import speaking
from policies.correctness import Correctness
from policies.live import TimeName
from policies.pooling import Pooled, pool
from policies.scorecard import ALL_LANGUAGES, Evidence, Origin, Scorecard

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
    origin: Origin | Literal["live"] | None = None
    """Of the scorecard that it rests on, or ``live`` requests; None where it rests on neither."""


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

    ``language`` None is the whole suite: its only language, or all of them together. ``OF_REQUEST`` stands for each
    request's own, and is never judged by: see ``policies.by_language``.
    """

    name: ClassVar[str] = "pass_at_1"
    hard: ClassVar[bool] = False

    suite: str
    at_least: float
    language: str | None = None
    confidence: float = 0.95
    min_tasks: int = 1
    pooled: bool = False
    """A language's tasks count together with what the suite's other languages say: see ``policies.pooling``."""

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        if (watched := self.watched(route, evidence)) is not None:
            return watched
        card = evidence.scorecard(route.name, route.revision.id, self.suite, self.language)
        if card is None:
            return unmeasured(self.name, self._missing(route, evidence))
        if (refused := refusal(self.name, card)) is not None:
            return refused
        if card.pass_at_1 is None or card.tasks < self.min_tasks:
            reason = f"{self._where} was scored on {card.tasks} tasks, fewer than the required {self.min_tasks}"
            if card.pass_at_1 is not None and not card.tasks:
                reason = f"{card.pass_at_1:.3f} on {self._where} does not say over how many tasks, so it has no bound"
            return found(self.name, card, False, reason, measured=False)
        measured = Correctness.of(card)
        together = pooled_languages(evidence, route, self.suite).get(card.language) if self.pooled else None
        bound = (together or measured).lower(self.confidence)
        kept = bound >= self.at_least
        # Rounded down: a bound just below the bar must not read as if it met it.
        shown = floor(bound * 1000) / 1000
        reason = (
            f"pass@1 on {self._where} is at least {shown:.3f} with {self.confidence * 100:g}% confidence"
            f"{together.promise if together else ''} ({card.pass_at_1:.3f} over {card.tasks} tasks),"
            f" {'which meets' if kept else 'below'} the required {self.at_least:g}"
        )
        return found(self.name, card, kept, reason, bound)

    def watched(self, route: Route, evidence: Evidence) -> Finding | None:
        """By what watching decided last about this bar: it is fresher than any whole run."""
        rows = evidence.admissions(route.name, route.revision.id, self.suite, self.language)
        row = speaking(rows, self.at_least, self.confidence)
        if row is None or (row.state == "admitted" and row.tasks < self.min_tasks):
            return None
        reason = f"{row.state} by `weighbridge watch` at {row.at}: {row.reason}; run {row.run_id}"
        return Finding(self.name, row.state == "admitted", reason, row.low, row.run_id, origin="measured")

    @property
    def _where(self) -> str:
        return f"{self.suite} ({self.language})" if self.language else self.suite

    def _missing(self, route: Route, evidence: Evidence) -> str:
        cards = evidence.of_revision(route.name, route.revision.id)
        languages = {card.language for card in cards if card.suite == self.suite}
        if self.language is None and languages:
            return f"{self.suite} is measured in {listed(languages)}, and the policy names no language"
        return f"not measured on {self._where} at revision {route.revision.id}"


def has_fallen(requirements: Iterable[Requirement], route: Route, evidence: Evidence) -> bool:
    """Whether watching has demoted it at one of the gates."""
    gates = (each for each in requirements if isinstance(each, PassAt1))
    return any((found := gate.watched(route, evidence)) is not None and not found.kept for gate in gates)


def pooled_languages(evidence: Evidence, route: Route, suite: str) -> dict[str, Pooled]:
    """By language, where the suite's languages that a gate would believe are enough for that."""
    cards = evidence.of_revision(route.name, route.revision.id)
    believed = [card for card in cards if card.suite == suite and refusal(PassAt1.name, card) is None]
    return pool({card.language: Correctness.of(card) for card in believed if card.language != ALL_LANGUAGES})


def timed_scorecard(
    evidence: Evidence, route: Route, time: TimeName, suite: str | None, language: str | None
) -> Scorecard | None:
    """The scorecard whose times count: the one on ``suite``, or the newest whole one that has this time."""
    if suite is not None:
        return evidence.scorecard(route.name, route.revision.id, suite, language)
    cards = evidence.of_revision(route.name, route.revision.id)
    return next((card for card in cards if not card.partial and getattr(card, time) is not None), None)


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def unmeasured(requirement: str, reason: str) -> Finding:
    return Finding(requirement, False, reason, measured=False)


def found(
    requirement: str, card: Scorecard, kept: bool, reason: str, figure: float | None = None, *, measured: bool = True
) -> Finding:
    """A finding that rests on ``card``, and says so."""
    source = f"run {card.run_id}" if card.origin == "measured" else f"published, not measured: {card.run_id}"
    return Finding(requirement, kept, f"{reason}; {source}", figure, card.run_id, measured, card.origin)


def refusal(requirement: str, card: Scorecard) -> Finding | None:
    """A gate believes only whole scorecards in which nearly every sample was scored."""
    if card.partial:
        reason = f"only a part of {card.suite} was asked, and a gate needs the whole suite"
        return found(requirement, card, False, reason, measured=False)
    unscored = card.no_answer + card.unscorable
    if unscored > MAX_UNSCORED_SHARE * card.asked:
        reason = (
            f"{unscored} of {card.asked} samples have no score ({card.no_answer} no_answer, {card.unscorable}"
            f" unscorable), more than the {MAX_UNSCORED_SHARE:.0%} that a gate accepts"
        )
        return found(requirement, card, False, reason, unscored / card.asked)
    return None
