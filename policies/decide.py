"""Decisions: which routes may serve a request, in which order, and why.

What depends on routes and evidence alone is judged once, by ``policies.compile``, whenever a snapshot changes. A
request then costs a few comparisons for each route; reasons are put into words only when somebody asks.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from backends.route import Route
from policies.dealing import Seat, deal
from policies.learned import Learning, Pick
from policies.mirror import Mirror
from policies.objectives import Figure
from policies.policy import Policy
from policies.request import REQUEST_REQUIREMENTS, RequestTraits
from policies.requirements import Finding
from policies.stick import Stay, stay


@dataclass(frozen=True, slots=True)
class Candidate:
    """One route under one policy, as the evidence has it."""

    route: Route
    figure: Figure
    """What the policy's objective, or its kind, goes by."""
    otherwise_figure: Figure | None
    findings: tuple[Finding, ...]
    qualified: bool
    """It keeps every requirement."""
    eligible: bool
    """It keeps every hard requirement: ``otherwise`` may pick it."""

    def figure_of(self, *, used_otherwise: bool) -> Figure:
        return (self.otherwise_figure if used_otherwise else None) or self.figure


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
    seats: tuple[Seat, ...] = ()
    """Where sessions are dealt out: each one's order is its own."""
    reserved: frozenset[str] = frozenset()
    """Routes that get what they are dealt, and stand in for no other."""
    mirror: Mirror | None = None
    learning: Learning | None = None
    """A request's prompt can change what is decided: whoever can read it should."""

    @property
    def asks_session(self) -> bool:
        """A request's session can change what is decided."""
        return bool(self.seats) or self.mirror is not None or self.policy.stick is not None

    def decide(self, request: RequestTraits, available: Container[str] | None = None) -> "Decision":
        """``available`` holds the names of the routes that serve now; None means all."""
        if (spoken := self.by_language.get(request.language)) is not None:
            return spoken.decide(request, available)
        routes = _fitting(self.qualified, request, available)
        if self.policy.budget is not None:
            unknown = self.policy.unmeasured == "allow"
            routes = tuple(self.policy.budget.kept(routes, request.budget, unknown=unknown))
        if self.seats:
            routes = tuple(deal(self.seats, routes, request.draw))
        used_otherwise = False
        if not routes and self.otherwise:
            routes = _fitting(self.otherwise, request, available)
            used_otherwise = bool(routes)
        pick = None
        if self.learning is not None and routes and not used_otherwise:
            pick = self.learning.pick(routes, request.prompt)
            routes = pick.first(routes)
        if request.previous is not None and self.stay(routes, request.previous, used_otherwise).stays:
            routes = tuple(sorted(routes, key=lambda route: route.name != request.previous))
        return Decision(self, request, available, routes, used_otherwise, pick)

    def stay(self, routes: Sequence[Route], previous: str, used_otherwise: bool) -> Stay:
        """Whether a session that ``previous`` answered stays there, though by its figures another may come first."""
        if self.policy.stick is None:
            return Stay(False, "the policy does not stick")
        by_name = {route.name: route for route in routes}
        if previous not in by_name:
            return Stay(False, f"leaves {previous}, which may not serve this")
        objective = self.policy.otherwise if used_otherwise else self.policy.objective
        figures = {each.route.name: each.figure_of(used_otherwise=used_otherwise) for each in self.candidates}
        first = next(route for route in (self.otherwise if used_otherwise else self.qualified) if route.name in by_name)
        if objective == "refuse" or first.name == previous:
            return Stay(True, f"stays on {previous}, which comes first")
        old, new = by_name[previous], first
        return stay(self.policy, objective, (old, figures[old.name]), (new, figures[new.name]))


@dataclass(frozen=True, slots=True)
class Decision:
    """``routes``, best first, may be tried in order; none means that the request must be refused."""

    compiled: CompiledPolicy = field(repr=False)
    request: RequestTraits
    available: Container[str] | None
    routes: tuple[Route, ...]
    used_otherwise: bool
    pick: Pick | None = None
    """What a learned model says of the request; None where the policy has none, or ``otherwise`` decided."""

    @property
    def ordered_by(self) -> str:
        """The objective, or the kind of policy, that put ``routes`` in order."""
        if self.pick is not None and self.pick.route is not None:
            return "learned"
        policy = self.compiled.policy
        return policy.otherwise if self.used_otherwise else policy.kind_name

    @property
    def shadow(self) -> Route | None:
        """Where the request is mirrored to, as far as the budget goes."""
        mirror = self.compiled.mirror
        if mirror is None or not self.routes or not mirror.takes(self.request, self.available, self.routes[0]):
            return None
        return mirror.route

    @property
    def reason(self) -> str:
        """Why the first route is first, in few words that are the same for many requests."""
        dropped = len(self.compiled.candidates) - len(self.routes)
        told = f"{self.ordered_by} of {len(self.routes)} kept, {dropped} dropped"
        if self.pick is not None and self.pick.why:
            return f"{told}; not learned: {self.pick.why}"
        return f"{told}; none qualified" if self.used_otherwise else told

    def summary(self) -> str:
        """One line: the route chosen and by what, then each route dropped with the requirements it breaks."""
        kept = {route.name for route in self.routes}
        parts = [f"{self.routes[0].name}: {self.ordered_by} of {len(kept)}" if kept else "no route"]
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
            "kind": policy.kind_name if policy.kind is not None else "objective",
            "objective": policy.objective if policy.kind is None else None,
            "otherwise": policy.otherwise,
            "unmeasured": policy.unmeasured,
            "evidence": policy.evidence,
            "used_otherwise": self.used_otherwise,
            "request": {
                **{name: value for name, value in asdict(self.request).items() if name in self._shown},
                "needs": sorted(self.request.needs),
                "draw": f"{self.request.draw:016x}",
            },
            "chosen": self.routes[0].name if self.routes else None,
            "stick": self._explain_stick(),
            "shadow": self._explain_shadow(),
            "learned": self.pick.explain() if self.pick is not None else None,
            "routes": [self._explain(candidate) for candidate in self._in_order()],
        }

    @property
    def _shown(self) -> frozenset[str]:
        """What of a request is repeated: a prompt is nobody's business, and a budget is for policies that ask."""
        names = (field.name for field in fields(self.request) if field.name != "prompt")
        return frozenset(names) - (frozenset(("budget",)) if self.compiled.policy.budget is None else frozenset())

    def _in_order(self) -> list[Candidate]:
        ranks = {route.name: rank for rank, route in enumerate(self.routes)}
        return sorted(self.compiled.candidates, key=lambda item: ranks.get(item.route.name, len(ranks)))

    def _findings(self, candidate: Candidate) -> list[Finding]:
        route = candidate.route
        serves = self.available is None or route.name in self.available
        serving = Finding("available", serves, "serving" if serves else "not serving: no replica is healthy")
        asked = [requirement.judge(route, self.request) for requirement in REQUEST_REQUIREMENTS]
        if (budget := self.compiled.policy.budget) is not None:
            unknown = self.compiled.policy.unmeasured == "allow"
            asked.append(budget.judge(route, self.request.budget, unknown=unknown))
        return [*candidate.findings, *self._dealt(candidate), *asked, serving]

    def _dealt(self, candidate: Candidate) -> list[Finding]:
        """Where a route gets what it is dealt and stands in for no other."""
        if candidate.route.name not in self.compiled.reserved:
            return []
        kept = candidate.route in self.routes
        reason = "this session is dealt to it" if kept else "this session is not dealt to it, and it stands in for none"
        return [Finding("share", kept, reason, candidate.figure.value, candidate.figure.run_id)]

    def _explain_stick(self) -> dict[str, Any] | None:
        policy, previous = self.compiled.policy, self.request.previous
        if policy.stick is None:
            return None
        found = None if previous is None else self.compiled.stay(self.routes, previous, self.used_otherwise)
        return {"margin": policy.stick.margin, "previous": previous, "reason": found.reason if found else None}

    def _explain_shadow(self) -> dict[str, Any] | None:
        mirror = self.compiled.mirror
        if mirror is None:
            return None
        found = mirror.judge(self.request, self.available, self.routes[0] if self.routes else None)
        return {**asdict(mirror.shadow), "mirrored": found.kept, "reason": found.reason}

    def _explain(self, candidate: Candidate) -> dict[str, Any]:
        return {
            "route": candidate.route.name,
            "revision": candidate.route.revision.id,
            "kept": candidate.route in self.routes,
            "objective": asdict(candidate.figure_of(used_otherwise=self.used_otherwise)),
            "findings": [asdict(finding) for finding in self._findings(candidate)],
        }


def _fitting(routes: tuple[Route, ...], request: RequestTraits, available: Container[str] | None) -> tuple[Route, ...]:
    fitting: Sequence[Route] = routes
    if available is not None:
        fitting = [route for route in routes if route.name in available]
    for requirement in REQUEST_REQUIREMENTS:
        fitting = requirement.kept(fitting, request)
    return tuple(fitting)
