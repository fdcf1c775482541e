"""From a policy's sections to its kind, its shadow, and how it sticks."""

from backends.price import nano
from gateway.config.kinds import CanarySection, ShadowSection
from gateway.config.schema import PolicySection
from policies.kinds import Canary, Fallback, Kind, Shadow, Stick, Weighted


def kind(section: PolicySection) -> Kind | None:
    """None: by its objective. The checks have seen to it that there is one at most."""
    if section.weighted is not None:
        return Weighted(tuple(section.weighted.items()))
    if section.fallback is not None:
        return Fallback(tuple(section.fallback))
    return _canary(section.canary) if section.canary is not None else None


def shadow(section: ShadowSection | None) -> Shadow | None:
    if section is None:
        return None
    return Shadow(section.to, section.share, nano(section.usd_per_day), section.at_once)


def stick(section: PolicySection) -> Stick | None:
    return Stick(section.stick.margin) if section.stick is not None else None


def _canary(section: CanarySection) -> Canary:
    gate = section.while_.pass_at_1
    return Canary(
        section.stable,
        section.candidate,
        gate.suite,
        gate.language,
        gate.at_least,
        gate.confidence,
        section.start,
        section.grow,
        section.until,
        section.every,
    )
