"""Decisions: which routes may serve a request, in which order, and why.

What depends on routes and evidence alone is judged once, by :func:`compile_policy`, whenever a snapshot changes. A
request then costs a few comparisons for each route; reasons are put into words only when somebody asks.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from backends.route import Route
from policies.by_language import goes_by_language, in_language, languages_of
from policies.objectives import Figure, order
from policies.policy import Objective, Policy
from policies.request import REQUEST_REQUIREMENTS, RequestTraits
from policies.requirements import Finding
from policies.scorecard import Evidence, EvidenceByOrigin


@dataclass(frozen=True, slots=True)
class Candidate:
    """One route under one policy, as the evidence has it."""

    route: Route
    figure: Figure
    """What the policy's objective goes by."""
    otherwise_figure: Figure | None
    findings: tuple[Finding, ...]
    qualified: bool
    """It keeps every requirement."""
    eligible: bool
    """It keeps every hard requirement: ``otherwise`` may pick it."""


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """A policy weighed against one snapshot. ``candidates`` are in the objective's order."""

    policy: Policy
    candidates: tuple[Candidate, ...]
    qualified: tuple[Route, ...]
    otherwise: tuple[Route, ...]
    """The eligible routes in ``otherwise``'s order; empty when that is ``refuse``."""
    asks_language: bool
    """A request's language can change what is decided: whoever knows how to find it out should."""
    by_language: Mapping[str | None, "CompiledPolicy"] = field(default_factory=dict)
    """What it is for requests in each language, where it goes by that; other requests go by this one."""

    def decide(self, request: RequestTraits, available: Container[str] | None = None) -> "Decision":
        """``available`` holds the names of the routes that serve now; None means all."""
        if (spoken := self.by_language.get(request.language)) is not None:
            return spoken.decide(request, available)
        routes = _fitting(self.qualified, request, available)
        if routes or not self.otherwise:
            return Decision(self, request, available, routes, False)
        routes = _fitting(self.otherwise, request, available)
        return Decision(self, request, available, routes, bool(routes))


@dataclass(frozen=True, slots=True)
class Decision:
    """``routes``, best first, may be tried in order; none means that the request must be refused."""

    compiled: CompiledPolicy = field(repr=False)
    request: RequestTraits
    available: Container[str] | None
    routes: tuple[Route, ...]
    used_otherwise: bool

    @property
    def objective(self) -> Objective:
        """The objective that put ``routes`` in order."""
        policy = self.compiled.policy
        if self.used_otherwise and policy.otherwise != "refuse":
            return policy.otherwise
        return policy.objective

    def summary(self) -> str:
        """One line: the route chosen and by what, then each route dropped with the requirements it breaks."""
        kept = {route.name for route in self.routes}
        parts = [f"{self.routes[0].name}: {self.objective} of {len(kept)}" if kept else "no route"]
        if self.used_otherwise:
            parts.append("none qualified")
        for candidate in self.compiled.candidates:
            if candidate.route.name not in kept:
                broken = [finding.requirement for finding in self._findings(candidate) if not finding.kept]
                parts.append(f"{candidate.route.name} dropped by {', '.join(broken)}")
        return "; ".join(parts)

    def explain(self) -> dict[str, Any]:
        """The decision as plain types for JSON: every route, kept first, on which figures and from which runs."""
        policy = self.compiled.policy
        return {
            "policy": policy.name,
            "objective": policy.objective,
            "otherwise": policy.otherwise,
            "unmeasured": policy.unmeasured,
            "evidence": policy.evidence,
            "used_otherwise": self.used_otherwise,
            "request": {**asdict(self.request), "needs": sorted(self.request.needs)},
            "chosen": self.routes[0].name if self.routes else None,
            "routes": [self._explain(candidate) for candidate in self._in_order()],
        }

    def _in_order(self) -> list[Candidate]:
        ranks = {route.name: rank for rank, route in enumerate(self.routes)}
        return sorted(self.compiled.candidates, key=lambda item: ranks.get(item.route.name, len(ranks)))

    def _findings(self, candidate: Candidate) -> list[Finding]:
        route = candidate.route
        serves = self.available is None or route.name in self.available
        serving = Finding("available", serves, "serving" if serves else "not serving: no replica is healthy")
        asked = [requirement.judge(route, self.request) for requirement in REQUEST_REQUIREMENTS]
        return [*candidate.findings, *asked, serving]

    def _explain(self, candidate: Candidate) -> dict[str, Any]:
        figure = candidate.otherwise_figure if self.used_otherwise else candidate.figure
        return {
            "route": candidate.route.name,
            "revision": candidate.route.revision.id,
            "kept": candidate.route in self.routes,
            "objective": asdict(figure or candidate.figure),
            "findings": [asdict(finding) for finding in self._findings(candidate)],
        }


def compile_policy(policy: Policy, routes: Iterable[Route], evidences: EvidenceByOrigin) -> CompiledPolicy:
    """Judges everything that does not depend on the request, but for its language: for each one. Route names differ."""
    routes = tuple(routes)
    evidence = evidences.of_origin(policy.evidence)
    if not goes_by_language(policy):
        return _compiled(policy, routes, evidence)
    by_language: dict[str | None, CompiledPolicy] = {
        language: _compiled(in_language(policy, language), routes, evidence)
        for language in languages_of(routes, evidence)
    }
    unspoken = _compiled(in_language(policy, None), routes, evidence)
    return replace(unspoken, asks_language=True, by_language=by_language)


def _compiled(policy: Policy, routes: tuple[Route, ...], evidence: Evidence) -> CompiledPolicy:
    ordered = order(policy.objective, policy, routes, evidence)
    fallback = [] if policy.otherwise == "refuse" else order(policy.otherwise, policy, routes, evidence)
    figures = {route.name: figure for route, figure in fallback}
    candidates = tuple(
        _candidate(policy, route, figure, figures.get(route.name), evidence) for route, figure in ordered
    )
    eligible = {candidate.route.name for candidate in candidates if candidate.eligible}
    return CompiledPolicy(
        policy,
        candidates,
        tuple(candidate.route for candidate in candidates if candidate.qualified),
        tuple(route for route, _ in fallback if route.name in eligible),
        any(route.languages is not None for route in routes),
    )


def decide(
    policy: Policy,
    routes: Iterable[Route],
    evidences: EvidenceByOrigin,
    request: RequestTraits,
    available: Container[str] | None = None,
) -> Decision:
    """One decision from scratch; whoever decides often keeps the compiled policy."""
    return compile_policy(policy, routes, evidences).decide(request, available)


def _candidate(
    policy: Policy, route: Route, figure: Figure, otherwise_figure: Figure | None, evidence: Evidence
) -> Candidate:
    findings = []
    eligible = True
    for requirement in policy.requirements:
        finding = requirement.judge(route, evidence)
        if not finding.measured and policy.unmeasured == "allow":
            finding = replace(finding, kept=True, reason=f"{finding.reason}; the policy allows unmeasured routes")
        eligible = eligible and (finding.kept or not requirement.hard)
        findings.append(finding)
    qualified = all(finding.kept for finding in findings)
    return Candidate(route, figure, otherwise_figure, tuple(findings), qualified, eligible)


def _fitting(routes: tuple[Route, ...], request: RequestTraits, available: Container[str] | None) -> tuple[Route, ...]:
    fitting: Sequence[Route] = routes
    if available is not None:
        fitting = [route for route in routes if route.name in available]
    for requirement in REQUEST_REQUIREMENTS:
        fitting = requirement.kept(fitting, request)
    return tuple(fitting)
