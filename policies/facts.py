"""What a policy may require of a route's declared facts. They are promises: no ``otherwise`` waives them."""

from dataclasses import dataclass
from typing import ClassVar

from backends.route import Capability, Residency, Route
from policies.requirements import Finding, listed
from policies.scorecard import Evidence


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


@dataclass(frozen=True, slots=True)
class OutputAtLeast:
    """The route declares that its answers may have at least so many tokens."""

    name: ClassVar[str] = "output"
    hard: ClassVar[bool] = True

    tokens: int

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        if route.max_output_tokens is None:
            return Finding(self.name, False, f"no longest answer is declared; {self.tokens:,} tokens are required")
        kept = route.max_output_tokens >= self.tokens
        relation = "cover" if kept else "are below"
        reason = f"answers of at most {route.max_output_tokens:,} tokens {relation} the required {self.tokens:,}"
        return Finding(self.name, kept, reason, route.max_output_tokens)


@dataclass(frozen=True, slots=True)
class HasCapabilities:
    """The route declares every one of these. What it does not declare it is not trusted with."""

    name: ClassVar[str] = "capabilities"
    hard: ClassVar[bool] = True

    capabilities: frozenset[Capability]

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        missing = frozenset(name for name in self.capabilities if not route.capabilities.get(name))
        if missing:
            return Finding(self.name, False, f"does not declare {listed(missing)}, which the policy requires")
        return Finding(self.name, True, f"declares {listed(self.capabilities)}")
