"""A policy: a named rule that a client selects by `model`."""

from dataclasses import dataclass
from typing import Literal

from policies.requirements import PassAt1, Requirement

Objective = Literal["cheapest", "most_accurate", "fastest"]
Otherwise = Literal[Objective, "refuse"]
Unmeasured = Literal["refuse", "allow"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Which routes may serve a request, and in which order.

    ``otherwise`` orders the routes when none keeps every requirement. It waives requirements on evidence only: facts
    of a route (residency, licence, weights, context, languages) are promises and always hold. ``unmeasured`` says what
    a requirement on evidence does with a route that has none: unmeasured is not zero, and not a pass either.
    """

    name: str
    objective: Objective = "cheapest"
    requirements: tuple[Requirement, ...] = ()
    otherwise: Otherwise = "refuse"
    unmeasured: Unmeasured = "refuse"

    @property
    def suite(self) -> tuple[str, str | None] | None:
        """Suite and language of its first requirement on correctness: objectives are measured there too."""
        for requirement in self.requirements:
            if isinstance(requirement, PassAt1):
                return requirement.suite, requirement.language
        return None
