"""A policy against routes and evidence: all that does not depend on the request is judged here, once a snapshot."""

from collections.abc import Container, Iterable
from dataclasses import replace

from backends.route import Route
from policies.by_language import goes_by_language, in_language, languages_of
from policies.decide import Candidate, CompiledPolicy, Decision
from policies.learned import Learning
from policies.mirror import Mirror
from policies.objectives import Figure, order
from policies.plan import plan
from policies.policy import Policy
from policies.request import RequestTraits
from policies.requirements import Finding, has_fallen, listed
from policies.scorecard import Evidence, EvidenceByOrigin


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
    planned = plan(policy, routes, evidence)
    fallback = [] if policy.otherwise == "refuse" else order(policy.otherwise, policy, routes, evidence)
    fallback.sort(key=lambda item: has_fallen(policy.requirements, item[0], evidence))  # figures are of better days
    figures = {route.name: figure for route, figure in fallback}
    candidates = tuple(
        _candidate(policy, route, figure, figures.get(route.name), evidence) for route, figure in planned.figures
    )
    eligible = {candidate.route.name for candidate in candidates if candidate.eligible}
    qualified = tuple(candidate.route for candidate in candidates if candidate.qualified)
    return CompiledPolicy(
        policy,
        candidates,
        qualified,
        tuple(route for route, _ in fallback if route.name in eligible - planned.reserved),
        any(route.languages is not None for route in routes),
        seats=planned.seats,
        reserved=planned.reserved,
        mirror=_mirror(policy, routes, evidence),
        learning=Learning.of(policy.learned, qualified) if policy.learned is not None else None,
    )


def _mirror(policy: Policy, routes: Iterable[Route], evidence: Evidence) -> Mirror | None:
    """Facts bind a shadow as they bind whoever answers; evidence is what it is there to gather."""
    if policy.shadow is None:
        return None
    route = next(route for route in routes if route.name == policy.shadow.to)
    facts = (requirement.judge(route, evidence) for requirement in policy.requirements if requirement.hard)
    return Mirror.of(policy.name, policy.shadow, route, next((finding for finding in facts if not finding.kept), None))


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
    if policy.kind is not None and route.name not in policy.kind.routes:
        findings.append(Finding("named", False, f"the policy names {listed(policy.kind.routes)}, and not this one"))
        eligible = False
    for requirement in policy.requirements:
        finding = requirement.judge(route, evidence)
        if not finding.measured and policy.unmeasured == "allow":
            finding = replace(finding, kept=True, reason=f"{finding.reason}; the policy allows unmeasured routes")
        eligible = eligible and (finding.kept or not requirement.hard)
        findings.append(finding)
    qualified = all(finding.kept for finding in findings)
    return Candidate(route, figure, otherwise_figure, tuple(findings), qualified, eligible)
