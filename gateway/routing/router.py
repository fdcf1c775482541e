"""From the ``model`` that a client names to the routes to try: a pinned route, or a policy weighed on the evidence."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from backends.backend import Call
from backends.route import Route
from gateway.fleet.fleet import Fleet
from gateway.keys.key import VirtualKey
from gateway.problem import Problem
from gateway.routing.opening import prompt_of
from gateway.routing.request_language import language_of
from gateway.routing.sticky import Sessions, draw_of, of_tenant, place_of, place_of_session
from policies.compile import compile_policy
from policies.decide import CompiledPolicy, Decision
from policies.hedge import Hedge
from policies.latency import goes_by_live, live_verdicts
from policies.live import LiveTimes
from policies.mirror import Mirror
from policies.policy import Policy
from policies.request import RequestTraits
from policies.requirements import listed
from policies.snapshot import Snapshot
from policies.verify import Verification

PINNED = "pinned"


@dataclass(frozen=True, slots=True)
class Choice:
    """Routes to try, best first; never empty. ``policy`` is the policy's name, or ``pinned``."""

    policy: str
    routes: tuple[Route, ...]
    language: str | None = None
    """The request's, where it is known, whatever it calls it."""
    verify: Verification | None = None
    place: bytes | None = field(default=None, repr=False)
    """The session's, where the policy sticks to the route that answered it last."""
    mirror: Mirror | None = None
    """Where it is mirrored to, once it is answered."""
    decision: Decision | None = field(default=None, repr=False)
    """None where the client named the route."""

    @property
    def hedge(self) -> Hedge | None:
        return self.decision.compiled.policy.hedge if self.decision is not None else None


class Router:
    """Holds every policy compiled against the current fleet and evidence; compiled anew when either changes."""

    def __init__(
        self,
        fleet: Fleet,
        policies: Mapping[str, Policy],
        aliases: Mapping[str, str],
        sessions: Sessions | None = None,
    ) -> None:
        self._fleet = fleet
        self._policies = policies
        self.aliases = aliases
        self.sessions = Sessions() if sessions is None else sessions
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
        """All but live times, which come apart."""
        for _ in self.learning(evidence):
            pass

    def learning(self, evidence: Snapshot) -> Iterator[None]:
        """``learn``, a policy at a time: one takes milliseconds where there are a thousand scorecards."""
        self.evidence = replace(evidence, live=self.evidence.live)
        for name, policy in self._policies.items():
            yield
            self._compiled[name] = compile_policy(policy, tuple(self._fleet.routes.values()), self.evidence)

    def learn_live(self, live: tuple[LiveTimes, ...]) -> None:
        """They change every few seconds: a policy is compiled anew only where they change what it decides."""
        if not any(map(goes_by_live, self._policies.values())):
            return
        before, self.evidence = self.evidence, replace(self.evidence, live=live)
        routes = tuple(self._fleet.routes.values())
        for name, policy in self._policies.items():
            if live_verdicts(policy, routes, before) != live_verdicts(policy, routes, self.evidence):
                self._compiled[name] = compile_policy(policy, routes, self.evidence)

    def choose(self, model: str, traits: RequestTraits, call: Call, key: VirtualKey | None = None) -> Choice:
        """Raises ``Problem``: 404 for a name that is unknown or not for this key, 400 for what a pinned route lacks,
        503 if no route qualifies.
        """
        name = self.aliases.get(model, model)
        if key is not None and not self._may_name(key, name):
            raise self._unknown(model, key)
        if name in self._fleet.routes:
            return Choice(PINNED, (_able(self._fleet.routes[name], traits),), traits.language)
        compiled = self._policy(name)
        if compiled.learning is not None:
            traits = replace(traits, prompt=prompt_of(call, traits))
        traits = _with_language(compiled, traits, call)
        place = place_of(call) if compiled.asks_session else None
        if place is not None:
            draw, place = draw_of(place), of_tenant(place, call.tenant)
            traits = replace(traits, draw=draw, previous=self.sessions.route(name, place))
        decision = compiled.decide(traits, self._available(key))
        if not decision.routes and key is not None and self.decide(name, traits).routes:
            message = f"policy '{name}' has no route for this that may serve the API key {key.id}"
            raise Problem(403, "no_route_for_key", message)
        if not decision.routes:
            raise Problem(503, "no_route_qualifies", f"policy '{name}' has no route for this: {decision.summary()}")
        policy = decision.compiled.policy
        if place is None:
            return Choice(name, decision.routes, traits.language, policy.verify, decision=decision)
        mirror = decision.compiled.mirror if decision.shadow is not None else None
        kept = place if policy.stick is not None else None
        return Choice(name, decision.routes, traits.language, policy.verify, kept, mirror, decision)

    def answered(self, choice: Choice, route: Route) -> None:
        """A policy that sticks remembers it."""
        if choice.place is not None:
            self.sessions.answered(choice.policy, choice.place, route.name)

    def decide(self, policy: str, traits: RequestTraits) -> Decision:
        return self._policy(policy).decide(traits, self._fleet.available)

    def explain(self, policy: str, traits: RequestTraits) -> dict[str, Any]:
        """The same decision in its newest figures: live times that change no decision are not compiled in."""
        compiled = self._policy(policy)
        if goes_by_live(compiled.policy):
            compiled = compile_policy(self._policies[policy], self._fleet.routes.values(), self.evidence)
        return compiled.decide(traits, self._fleet.available).explain()

    def in_session(self, policy: str, traits: RequestTraits, session: str) -> RequestTraits:
        """As a request of this session is decided: where it is dealt, and which route this worker saw answer it."""
        place = place_of_session(session)
        return replace(traits, draw=draw_of(place), previous=self.sessions.route(policy, place))

    def names(self, key: VirtualKey | None = None) -> list[str]:
        """What ``model`` may be: serving routes, then the other routes, policies and aliases."""
        routes = sorted(self._fleet.routes, key=lambda name: name not in self._fleet.available)
        names = [*routes, *self._policies, *self.aliases]
        return names if key is None else [name for name in names if self._may_name(key, self.aliases.get(name, name))]

    def _may_name(self, key: VirtualKey, name: str) -> bool:
        if (route := self._fleet.routes.get(name)) is not None:
            return key.may_name_route(route)
        return key.may_name_policy(name)

    def _available(self, key: VirtualKey | None) -> Container[str]:
        available = self._fleet.available
        if key is None:
            return available
        return {name for name in available if key.may_be_served_by(self._fleet.routes[name])}

    def _compile(self) -> None:
        routes = tuple(self._fleet.routes.values())
        self._compiled = {
            name: compile_policy(policy, routes, self.evidence) for name, policy in self._policies.items()
        }

    def _policy(self, name: str) -> CompiledPolicy:
        compiled = self._compiled.get(name)
        if compiled is None:
            raise self._unknown(name)
        return compiled

    def _unknown(self, model: str, key: VirtualKey | None = None) -> Problem:
        shown = model if len(model) <= 100 else model[:100] + "…"
        or_not_yours = " or is not for this key" if key is not None else ""
        message = f"The model {shown!r} does not exist{or_not_yours}. Available: {', '.join(self.names(key))}"
        return Problem(404, "model_not_found", message, param="model")


def _with_language(compiled: CompiledPolicy, traits: RequestTraits, call: Call) -> RequestTraits:
    """Looks for the language only where a decision can depend on it, and the client did not say it."""
    if traits.language is not None or not compiled.asks_language:
        return traits
    return replace(traits, language=language_of(call.fields))


def _able(route: Route, traits: RequestTraits) -> Route:
    if missing := route.lacks & traits.needs:
        message = f"the route '{route.name}' is declared without {listed(missing)}, which the request asks for"
        raise Problem(400, "unsupported_capability", message)
    return route
