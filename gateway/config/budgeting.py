"""The requirement `budget_left`: how much of a key's budget must be left for a route to serve it."""

from collections.abc import Container, Iterator

from pydantic import Field

from backends.price import nano
from gateway.config.problem import Location, Report
from gateway.config.section import Section, Usd, Words
from policies.budget import BudgetAtLeast


class BudgetLeftSection(Section):
    share: float | None = Field(default=None, gt=0, le=1, examples=["0.25"])
    usd: Usd | None = Field(default=None, examples=["10"])
    routes: Words | None = Field(default=None, examples=["[large]"])


def long_form(value: object) -> object:
    return value if isinstance(value, dict) else {"share": value}


def budget_at_least(section: BudgetLeftSection | None) -> BudgetAtLeast | None:
    if section is None:
        return None
    routes = frozenset(section.routes) if section.routes is not None else None
    return BudgetAtLeast(section.share, None if section.usd is None else nano(section.usd), routes)


def check_budget_left(at: Location, section: BudgetLeftSection | None, routes: Container[str]) -> Iterator[Report]:
    if section is None:
        return
    if (section.share is None) == (section.usd is None):
        yield at, "needs a share or dollars, and not both", "write for example `budget_left: 0.25`, or `{usd: 10}`"
    for number, name in enumerate(section.routes or ()):
        if name not in routes:
            yield (*at, "routes", number), f"no route is named '{name}'", "write the name of a route of this file"
