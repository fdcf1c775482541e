"""What a policy's kind, its shadow and its sticking must be like, beside the schema."""

from collections.abc import Iterator, Mapping

from gateway.config.kinds import CanarySection
from gateway.config.names import did_you_mean
from gateway.config.presets import KINDS
from gateway.config.problem import Location, Report
from gateway.config.schema import PolicySection


def check_kind(at: Location, policy: PolicySection, routes: Mapping[str, object]) -> Iterator[Report]:
    given = [key for key in KINDS if getattr(policy, key) is not None]
    if given and "objective" in policy.model_fields_set:
        given.append("objective")
    for key in given[1:]:
        yield (*at, key), f"'{given[0]}' has said already how routes are picked", f"keep one of {', '.join(given)}"
    if given and policy.stick is not None:
        yield (*at, "stick"), f"belongs to a policy with an objective, not to '{given[0]}'", "remove it"
    if given and policy.learned is not None:
        yield (*at, "learned"), f"belongs to a policy with an objective, not to '{given[0]}'", "remove it"
    if policy.stick is not None and policy.learned is not None:
        yield (*at, "stick"), "has nothing to hold: what is learned decides by how a conversation began", "remove it"
    yield from _check_names(at, policy, routes)
    if policy.weighted is not None and not any(policy.weighted.values()):
        yield (*at, "weighted"), "no route has a weight above 0", "write for example `weighted: {large: 90, small: 10}`"
    if policy.fallback is not None and len(set(policy.fallback)) < len(policy.fallback):
        yield (*at, "fallback"), "a route stands here twice", "keep its first place"
    if policy.canary is not None:
        yield from _check_canary((*at, "canary"), policy.canary)


def _check_canary(at: Location, canary: CanarySection) -> Iterator[Report]:
    if canary.stable == canary.candidate:
        yield (*at, "candidate"), "is the stable route itself", "name the route that is to be tried"
    if canary.until < canary.start:
        yield (*at, "until"), f"is below the start, {canary.start:g}", "write a share of at least that"


def _check_names(at: Location, policy: PolicySection, routes: Mapping[str, object]) -> Iterator[Report]:
    for place, name in _named(policy):
        if name not in routes:
            yield (*at, *place), f"no route is named '{name}'", did_you_mean(name, routes)


def _named(policy: PolicySection) -> Iterator[tuple[Location, str]]:
    for name in policy.weighted or ():
        yield ("weighted", name), name
    for index, name in enumerate(policy.fallback or ()):
        yield ("fallback", index), name
    if policy.canary is not None:
        yield ("canary", "stable"), policy.canary.stable
        yield ("canary", "candidate"), policy.canary.candidate
    if policy.shadow is not None:
        yield ("shadow", "to"), policy.shadow.to
