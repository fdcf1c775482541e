"""The section of a policy that says when it asks a second server: its shape, what must go together, its plain type."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from gateway.config.problem import Location, Report
from gateway.config.section import Section
from policies.hedge import Hedge


class HedgeSection(Section):
    after_ms: float | None = Field(default=None, gt=0, examples=["800"])
    after: Literal["p95"] | None = Field(default=None, examples=["p95"])


def hedge(section: HedgeSection | None) -> Hedge | None:
    return None if section is None else Hedge(section.after_ms)


def check_hedge(at: Location, section: HedgeSection | None, verified: bool) -> Iterator[Report]:
    """``verified``: the policy holds its answers until they are."""
    if section is None:
        return
    if (section.after_ms is None) == (section.after is None):
        yield at, "needs to know when: `after_ms` or `after`, and not both", "write for example `hedge: {after: p95}`"
    if verified:
        yield at, "does not go with `verify`: a held answer has no first content to wait for", "remove one of the two"
