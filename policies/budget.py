"""A requirement on what is left of a key's budget: dear routes are for those who can still afford them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from backends.route import Route
from policies.requirements import Finding, listed

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """What is neither spent nor set aside: of the key's budgets, and of those that it shares, the one with least.

    ``share`` is of that budget, 0 to 1. ``nanousd`` None: no budget limits the key.
    """

    share: float
    nanousd: int | None


UNBUDGETED = BudgetLeft(1.0, None)
_PLENTY_USD = 1_000_000.0


def supposed(share: float | None, usd: float | None) -> BudgetLeft:
    """What somebody who asks for an explanation supposes to be left; of what he says nothing there is plenty."""
    if share is None and usd is None:
        return UNBUDGETED
    return BudgetLeft(1.0 if share is None else share, round((_PLENTY_USD if usd is None else usd) * _NANO))


@dataclass(frozen=True, slots=True)
class BudgetAtLeast:
    """Binds ``routes``, or all where that is None. Either ``share`` or ``nanousd`` is given."""

    name: ClassVar[str] = "budget_left"

    share: float | None = None
    nanousd: int | None = None
    routes: frozenset[str] | None = None

    def kept(self, routes: Sequence[Route], left: BudgetLeft | None, *, unknown: bool) -> Sequence[Route]:
        """``left`` None: nobody could say it, and ``unknown`` is whether that is enough."""
        if self._suffices(left, unknown=unknown):
            return routes
        return [route for route in routes if not self._binds(route)]

    def judge(self, route: Route, left: BudgetLeft | None, *, unknown: bool) -> Finding:
        if not self._binds(route):
            return Finding(self.name, True, f"binds {listed(self.routes or ())} only")
        kept = self._suffices(left, unknown=unknown)
        if left is None:
            allowed = "; the policy allows what is not known" if unknown else ""
            reason = f"what is left of the key's budget is not known at the moment{allowed}"
            return Finding(self.name, kept, reason, measured=False)
        if left.nanousd is None:
            return Finding(self.name, kept, "no budget limits the key", left.share)
        reason = (
            f"{left.share:.1%} of the key's budget is left (${left.nanousd / _NANO:,.4f}),"
            f" {'which meets' if kept else 'below'} the required {self._bar}"
        )
        return Finding(self.name, kept, reason, left.share if self.share is not None else left.nanousd)

    def _binds(self, route: Route) -> bool:
        return self.routes is None or route.name in self.routes

    def _suffices(self, left: BudgetLeft | None, *, unknown: bool) -> bool:
        if left is None:
            return unknown
        if left.nanousd is None:
            return True
        if self.share is not None:
            return left.share >= self.share
        return self.nanousd is None or left.nanousd >= self.nanousd

    @property
    def _bar(self) -> str:
        return f"{self.share:.0%}" if self.share is not None else f"${(self.nanousd or 0) / _NANO:,.2f}"
