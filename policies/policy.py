"""A policy: a named rule that a client selects by `model`."""

from dataclasses import dataclass
from typing import Literal

from policies.budget import BudgetAtLeast
from policies.hedge import Hedge
from policies.kinds import Kind, Shadow, Stick
from policies.learned import LearnedModel
from policies.requirements import PassAt1, Requirement
from policies.scorecard import Origin
from policies.verify import Verification

Measure = Literal["cheapest", "cheapest_per_solved_task", "most_accurate", "fastest"]
Objective = Literal[Measure, "weighted"]
Otherwise = Literal[Objective, "refuse"]
Unmeasured = Literal["refuse", "allow"]


@dataclass(frozen=True, slots=True)
class Policy:
    """Which routes may serve a request, and in which order.

    ``otherwise`` orders the routes when none keeps every requirement. It waives requirements on evidence only: facts
    of a route (residency, licence, weights, context, languages) are promises and always hold. ``unmeasured`` says what
    a requirement on evidence does with a route that has none: unmeasured is not zero, and not a pass either.
    ``evidence`` says whose figures it goes by: measured ones, or published ones, and never both.
    """

    name: str
    objective: Objective = "cheapest"
    requirements: tuple[Requirement, ...] = ()
    otherwise: Otherwise = "refuse"
    unmeasured: Unmeasured = "refuse"
    evidence: Origin = "measured"
    weights: tuple[tuple[Measure, float], ...] = ()
    """What each measure counts for the objective `weighted`; all above 0."""
    kind: Kind | None = None
    """Which routes it picks from, and how. None: from all, by ``objective``, which counts for nothing else."""
    shadow: Shadow | None = None
    stick: Stick | None = None
    verify: Verification | None = None
    learned: LearnedModel | None = None
    """What may bring another of its routes to the front, by the prompt; beside an objective, and without a stick."""
    hedge: Hedge | None = None
    budget: BudgetAtLeast | None = None
    """What must be left of a key's budget. It is no promise of a route: ``otherwise`` waives it."""

    @property
    def kind_name(self) -> str:
        """Its kind's name, or its objective's."""
        return self.objective if self.kind is None else self.kind.name

    @property
    def gate(self) -> PassAt1 | None:
        """Its first requirement on correctness."""
        return next((requirement for requirement in self.requirements if isinstance(requirement, PassAt1)), None)

    @property
    def suite(self) -> tuple[str, str | None] | None:
        """Suite and language of its gate: objectives are measured there too."""
        return None if self.gate is None else (self.gate.suite, self.gate.language)
