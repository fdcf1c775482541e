"""Policies that go by a request's own language: one policy for each language, all made when the evidence changes."""

from collections.abc import Iterable
from dataclasses import replace

from backends.route import Route
from policies.costs import MeasuredCost
from policies.languages import LANGUAGES, OF_REQUEST
from policies.latency import Latency
from policies.policy import Policy
from policies.requirements import PassAt1, Requirement
from policies.scorecard import ALL_LANGUAGES, Evidence


def goes_by_language(policy: Policy) -> bool:
    return any(_is_of_request(requirement) for requirement in policy.requirements)


def in_language(policy: Policy, language: str | None) -> Policy:
    """The policy as it is for requests in ``language``, or, for None, for those whose language is not known."""
    return replace(policy, requirements=tuple(_in_language(each, language) for each in policy.requirements))


def languages_of(routes: Iterable[Route], evidence: Evidence) -> list[str]:
    """Those that suites are about, and whatever else was measured."""
    cards = (card for route in routes for card in evidence.of_revision(route.name, route.revision.id))
    return sorted((LANGUAGES | {card.language for card in cards}) - {ALL_LANGUAGES})


def _is_of_request(requirement: Requirement) -> bool:
    return isinstance(requirement, PassAt1 | Latency | MeasuredCost) and requirement.language == OF_REQUEST


def _in_language(requirement: Requirement, language: str | None) -> Requirement:
    if isinstance(requirement, PassAt1 | Latency | MeasuredCost) and requirement.language == OF_REQUEST:
        return replace(requirement, language=language)
    return requirement
