"""The section of a policy that says how its answers are verified: its shape, what must go together, its plain type."""

from collections.abc import Iterator
from importlib.util import find_spec

from pydantic import Field

from backends.price import nano
from gateway.config.problem import Location, Report
from gateway.config.section import Section, Usd
from policies.verify import Form, Verification, WhenUnavailable


class VerifySection(Section):
    by: Form = Field(examples=["examples"])
    latency_ms: float = Field(default=20_000.0, gt=0, examples=["20000"])
    max_cost_usd: Usd | None = Field(default=None, examples=["0.02"])
    when_unavailable: WhenUnavailable = Field(default="allow", examples=["decline"])
    at_least: float | None = Field(default=None, le=0, examples=["-0.25"])


def long_form(value: object) -> object:
    """``verify: examples`` is ``verify: {by: examples}``."""
    return {"by": value} if isinstance(value, str) else value


def verification(section: VerifySection | None, *, best_first: bool) -> Verification | None:
    if section is None:
        return None
    most = None if section.max_cost_usd is None else nano(section.max_cost_usd)
    return Verification(section.by, section.latency_ms, most, section.when_unavailable, section.at_least, best_first)


def check_verify(at: Location, section: VerifySection | None) -> Iterator[Report]:
    if section is None:
        return
    if section.by == "confidence" and section.at_least is None:
        fix = "write the least mean logprob that is enough, for example `verify: {by: confidence, at_least: -0.25}`"
        yield (*at, "at_least"), "missing: nothing says how sure a model must be", fix
    if section.by != "confidence" and section.at_least is not None:
        yield (*at, "at_least"), "belongs to `by: confidence`", "remove it"
    if section.by == "syntax" and find_spec("tree_sitter") is None:
        yield (*at, "by"), "syntax needs tree-sitter, which is not installed", "install the extra `weighbridge[syntax]`"
