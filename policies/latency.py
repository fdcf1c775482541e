"""What a policy may require of a route's times: by what requests take now, or by what a replay took."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from backends.route import Route
from policies.live import WINDOW_S, LatencySource, TimeName
from policies.policy import Policy
from policies.requirements import Finding, found, refusal, timed_scorecard, unmeasured
from policies.scorecard import Evidence, EvidenceByOrigin


@dataclass(frozen=True, slots=True)
class Latency:
    """A time's quantile is at most ``at_most_ms``: of live requests, or by the run on ``suite``, or by the newest run
    when that is None. ``source`` says which of the two counts.
    """

    hard: ClassVar[bool] = False

    name: TimeName
    at_most_ms: float
    suite: str | None = None
    language: str | None = None
    source: LatencySource = "live"

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        live = None if self.source == "replayed" else self._live(route, evidence)
        if live is None or (live.kept and self.source == "worst"):
            replayed = self._replayed(route, evidence)
            if live is None or (replayed.measured and _is_worse(replayed, live)):
                return replayed
        return live

    def live_verdict(self, route: Route, evidence: Evidence) -> bool | None:
        """What live requests alone say; None where they say nothing, or do not count."""
        finding = None if self.source == "replayed" else self._live(route, evidence)
        return finding.kept if finding is not None else None

    def _live(self, route: Route, evidence: Evidence) -> Finding | None:
        times = evidence.live_times(route.name, route.revision.id)
        figure = times.figure(self.name) if times is not None else None
        if times is None or figure is None:
            return None
        over = f"over {times.count(self.name):,} live requests of the last {WINDOW_S // 60} minutes"
        kept = figure <= self.at_most_ms
        return Finding(self.name, kept, self._sentence(figure, over), figure, origin="live")

    def _replayed(self, route: Route, evidence: Evidence) -> Finding:
        card = timed_scorecard(evidence, route, self.name, self.suite, self.language)
        figure: float | None = getattr(card, self.name, None)
        if card is None or figure is None:
            return unmeasured(self.name, f"no run has timed the {self._what} at revision {route.revision.id}")
        if (refused := refusal(self.name, card)) is not None:
            return refused
        return found(self.name, card, figure <= self.at_most_ms, self._sentence(figure, f"on {card.suite}"), figure)

    @property
    def _what(self) -> str:
        return "first token" if self.name.startswith("ttft") else "whole request"

    def _sentence(self, figure: float, where: str) -> str:
        kept = "within" if figure <= self.at_most_ms else "above"
        quantile = self.name.split("_")[1]
        return f"{self._what} at {quantile} is {figure:,.0f} ms {where}, {kept} the required {self.at_most_ms:,.0f} ms"


def goes_by_live(policy: Policy) -> bool:
    """Whether what requests take now can change what it decides."""
    return any(isinstance(each, Latency) and each.source != "replayed" for each in policy.requirements)


def live_verdicts(policy: Policy, routes: Iterable[Route], evidences: EvidenceByOrigin) -> tuple[bool | None, ...]:
    """All that live times can change in the policy's decisions: as long as these stay, so do those."""
    evidence = evidences.of_origin(policy.evidence)
    timed = [each for each in policy.requirements if isinstance(each, Latency)]
    return tuple(requirement.live_verdict(route, evidence) for route in routes for requirement in timed)


def _is_worse(replayed: Finding, live: Finding) -> bool:
    return not replayed.kept or (replayed.figure or 0) > (live.figure or 0)
