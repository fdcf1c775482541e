"""From the ``model`` that a client names to the routes to try: a pinned route, or a policy weighed on the evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from backends.route import Route
from gateway.fleet import Fleet
from gateway.problem import Problem
from gateway.request_language import language_of
from policies.decide import CompiledPolicy, Decision, compile_policy
from policies.policy import Policy
from policies.request import RequestTraits
from policies.requirements import listed
from policies.snapshot import Snapshot
from policies.verify import Verification

PINNED = "pinned"
_NO_FIELDS: Mapping[str, msgspec.Raw] = {}


@dataclass(frozen=True, slots=True)
class Choice:
    """Routes to try, best first; never empty. ``policy`` is the policy's name, or ``pinned``."""

    policy: str
    routes: tuple[Route, ...]
    language: str | None = None
    """The request's, where it is known, whatever it calls it."""
    verify: Verification | None = None


class Router:
    """Holds every policy compiled against the current fleet and evidence; compiled anew when either changes."""

    def __init__(self, fleet: Fleet, policies: Mapping[str, Policy], aliases: Mapping[str, str]) -> None:
        self._fleet = fleet
        self._policies = policies
        self.aliases = aliases
        self.evidence = Snapshot()
        self._compiled: dict[str, CompiledPolicy] = {}
        fleet.on_change = self._compile
        self._compile()

    @property
    def fleet(self) -> Fleet:
        return self._fleet

    @property
    def policies(self) -> Mapping[str, Policy]:
        return self._policies

    def learn(self, evidence: Snapshot) -> None:
        self.evidence = evidence
        self._compile()

    def choose(self, model: str, traits: RequestTraits, fields: Mapping[str, msgspec.Raw] = _NO_FIELDS) -> Choice:
        """Raises ``Problem``: 404 for an unknown name, 400 for what a pinned route lacks, 503 if no route qualifies."""
        name = self.aliases.get(model, model)
        if name in self._fleet.routes:
            return Choice(PINNED, (_able(self._fleet.routes[name], traits),), traits.language)
        traits = self._with_language(name, traits, fields)
        decision = self.decide(name, traits)
        if not decision.routes:
            raise Problem(503, "no_route_qualifies", f"policy '{name}' has no route for this: {decision.summary()}")
        return Choice(name, decision.routes, traits.language, decision.compiled.policy.verify)

    def decide(self, policy: str, traits: RequestTraits) -> Decision:
        compiled = self._compiled.get(policy)
        if compiled is None:
            raise self._unknown(policy)
        return compiled.decide(traits, self._fleet.available)

    def _with_language(self, policy: str, traits: RequestTraits, fields: Mapping[str, msgspec.Raw]) -> RequestTraits:
        """Looks for the language only where a decision can depend on it, and the client did not say it."""
        compiled = self._compiled.get(policy)
        if traits.language is not None or compiled is None or not compiled.asks_language:
            return traits
        return replace(traits, language=language_of(fields))

    def names(self) -> list[str]:
        """What ``model`` may be: serving routes, then the other routes, policies and aliases."""
        routes = sorted(self._fleet.routes, key=lambda name: name not in self._fleet.available)
        return [*routes, *self._policies, *self.aliases]

    def _compile(self) -> None:
        routes = tuple(self._fleet.routes.values())
        self._compiled = {
            name: compile_policy(policy, routes, self.evidence) for name, policy in self._policies.items()
        }

    def _unknown(self, model: str) -> Problem:
        shown = model if len(model) <= 100 else model[:100] + "…"
        message = f"The model {shown!r} does not exist. Available: {', '.join(self.names())}"
        return Problem(404, "model_not_found", message, param="model")


def _able(route: Route, traits: RequestTraits) -> Route:
    if missing := route.lacks & traits.needs:
        message = f"the route '{route.name}' is declared without {listed(missing)}, which the request asks for"
        raise Problem(400, "unsupported_capability", message)
    return route
