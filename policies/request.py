"""What a request asks of a route. These requirements are part of every policy and are never waived."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from backends.route import Capability, Route
from policies.budget import UNBUDGETED, BudgetLeft
from policies.learned import Prompt
from policies.requirements import Finding, listed


@dataclass(frozen=True, slots=True)
class RequestTraits:
    """What a decision may know of one request."""

    input_tokens_estimate: int = 0
    max_tokens: int | None = None
    language: str | None = None
    """The programming language that it is about, in lower case; None when that is not known."""
    needs: frozenset[Capability] = frozenset()
    """What its own fields ask for."""
    draw: int = 0
    """64 bits, the same for all requests of a session: where it is dealt out by share, this is its place."""
    previous: str | None = None
    """The route that answered its session last, where the policy asks."""
    prompt: Prompt | None = field(default=None, repr=False)
    """What learned routing goes by, where the policy asks."""
    budget: BudgetLeft | None = UNBUDGETED
    """What is left for the key, where the policy asks; None: that is not known."""

    @property
    def tokens(self) -> int:
        """What must fit into a context window."""
        return self.input_tokens_estimate + (self.max_tokens or 0)


class RequestRequirement(Protocol):
    """Judged per request, so the answer and its reason come apart: reasons are made only when somebody asks."""

    @property
    def name(self) -> str: ...

    def kept(self, routes: Sequence[Route], request: RequestTraits) -> Sequence[Route]:
        """All at once: a call for each route would cost more than the comparisons."""
        ...

    def judge(self, route: Route, request: RequestTraits) -> Finding: ...


@dataclass(frozen=True, slots=True)
class FitsContext:
    """Estimated input and max_tokens fit the context window, where the route declares one."""

    name: ClassVar[str] = "request_context"

    def kept(self, routes: Sequence[Route], request: RequestTraits) -> Sequence[Route]:
        tokens = request.tokens
        return [route for route in routes if route.context_window is None or tokens <= route.context_window]

    def judge(self, route: Route, request: RequestTraits) -> Finding:
        if route.context_window is None:
            return Finding(self.name, True, "no context window is declared", request.tokens)
        kept = bool(self.kept((route,), request))
        reason = (
            f"the request's {request.tokens:,} tokens (estimated input and max_tokens) {'fit' if kept else 'exceed'}"
            f" the context window of {route.context_window:,}"
        )
        return Finding(self.name, kept, reason, request.tokens)


@dataclass(frozen=True, slots=True)
class ServesLanguage:
    """The request's programming language, when known, is one that the route may be used for."""

    name: ClassVar[str] = "request_language"

    def kept(self, routes: Sequence[Route], request: RequestTraits) -> Sequence[Route]:
        language = request.language
        if language is None:
            return routes
        return [route for route in routes if route.languages is None or language in route.languages]

    def judge(self, route: Route, request: RequestTraits) -> Finding:
        if request.language is None:
            return Finding(self.name, True, "the request's language is not known")
        if route.languages is None:
            return Finding(self.name, True, f"may be used for any language, {request.language} too")
        kept = bool(self.kept((route,), request))
        if kept:
            return Finding(self.name, True, f"may be used for {request.language}")
        return Finding(self.name, False, f"not to be used for {request.language}, only for {listed(route.languages)}")


@dataclass(frozen=True, slots=True)
class FitsOutput:
    """max_tokens is no more than the route's longest answer, where it declares one."""

    name: ClassVar[str] = "request_output"

    def kept(self, routes: Sequence[Route], request: RequestTraits) -> Sequence[Route]:
        most = request.max_tokens
        if most is None:
            return routes
        return [route for route in routes if route.max_output_tokens is None or most <= route.max_output_tokens]

    def judge(self, route: Route, request: RequestTraits) -> Finding:
        if request.max_tokens is None:
            return Finding(self.name, True, "the request has no max_tokens")
        if route.max_output_tokens is None:
            return Finding(self.name, True, "no longest answer is declared", request.max_tokens)
        kept = bool(self.kept((route,), request))
        relation = "fits" if kept else "exceeds"
        reason = f"max_tokens {request.max_tokens:,} {relation} the longest answer of {route.max_output_tokens:,}"
        return Finding(self.name, kept, reason, request.max_tokens)


@dataclass(frozen=True, slots=True)
class CanDo:
    """The route does not declare that it lacks what the request's fields ask for."""

    name: ClassVar[str] = "request_capabilities"

    def kept(self, routes: Sequence[Route], request: RequestTraits) -> Sequence[Route]:
        needs = request.needs
        return [route for route in routes if route.lacks.isdisjoint(needs)] if needs else routes

    def judge(self, route: Route, request: RequestTraits) -> Finding:
        if not request.needs:
            return Finding(self.name, True, "the request asks for nothing special")
        if missing := route.lacks & request.needs:
            return Finding(self.name, False, f"declared without {listed(missing)}, which the request asks for")
        return Finding(self.name, True, f"not declared to be without {listed(request.needs)}")


REQUEST_REQUIREMENTS: tuple[RequestRequirement, ...] = (FitsContext(), FitsOutput(), ServesLanguage(), CanDo())
