"""What a policy may require of cost: of the declared price, which is a fact, and of what runs have cost."""

from dataclasses import dataclass
from math import inf
from typing import ClassVar, Literal

from backends.price import NANO
from backends.route import Route
from policies.requirements import Finding, found, refusal, unmeasured
from policies.scorecard import Evidence, Scorecard

INPUT_SHARE = 3
"""Input tokens to one output token in the blended price: a chat about code reads more than it writes."""
_MILLION = 1_000_000

CostName = Literal["cost_per_request", "cost_per_solved_task"]


@dataclass(frozen=True, slots=True)
class PricePer1k:
    """A thousand tokens cost at most so many nano-dollars at the declared, blended price."""

    name: ClassVar[str] = "cost_per_1k_tokens"
    hard: ClassVar[bool] = True

    at_most: int

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        price = blended_price(route) / 1000
        kept = price <= self.at_most
        reason = f"1,000 tokens cost {usd(price)}, {_relation(kept)} {usd(self.at_most)}"
        return Finding(self.name, kept, reason, price)


@dataclass(frozen=True, slots=True)
class CostPerMonth:
    """``tokens`` a month cost at most so many nano-dollars at the declared, blended price."""

    name: ClassVar[str] = "cost_per_month"
    hard: ClassVar[bool] = True

    tokens: int
    at_most: int

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        price = blended_price(route)
        cost = self.tokens * price / _MILLION
        kept = cost <= self.at_most
        reason = (
            f"{self.tokens:,} tokens a month at {usd(price / 1000)} per 1,000 come to {usd(cost)},"
            f" {_relation(kept)} {usd(self.at_most)}"
        )
        return Finding(self.name, kept, reason, cost)


@dataclass(frozen=True, slots=True)
class MeasuredCost:
    """What a request, or a solved task, cost on ``suite``, or in the newest run when that is None; nano-dollars."""

    hard: ClassVar[bool] = False

    name: CostName
    at_most: int
    suite: str | None = None
    language: str | None = None

    def judge(self, route: Route, evidence: Evidence) -> Finding:
        what = self.name.removeprefix("cost_per_").replace("_", " ")
        card = self._card(route, evidence)
        cost = None if card is None else cost_of(self.name, card)
        if card is None or cost is None:
            return unmeasured(self.name, f"no run tells what a {what} costs at revision {route.revision.id}")
        if (refused := refusal(self.name, card)) is not None:
            return refused
        if cost == inf:
            return found(self.name, card, False, f"nothing was solved on {card.suite}, for {usd(card.cost_nanousd)}")
        kept = cost <= self.at_most
        reason = f"a {what} costs {usd(cost)} on {card.suite}, {_relation(kept)} {usd(self.at_most)}"
        return found(self.name, card, kept, reason, cost)

    def _card(self, route: Route, evidence: Evidence) -> Scorecard | None:
        if self.suite is not None:
            return evidence.scorecard(route.name, route.revision.id, self.suite, self.language)
        cards = evidence.of_revision(route.name, route.revision.id)
        return next((card for card in cards if not card.partial and cost_of(self.name, card) is not None), None)


def blended_price(route: Route) -> int:
    """Nano-dollars per million tokens, three of input to one of output, as declared."""
    return (INPUT_SHARE * route.price.input + route.price.output) // (INPUT_SHARE + 1)


def cost_of(name: CostName, card: Scorecard) -> float | None:
    """Nano-dollars; None where the run does not tell. A solved task costs the whole run, failures too, by its passes;
    when none passed it costs infinitely much.
    """
    unknown = card.manifest.get("cost_unknown", 0)
    calls = card.asked - (unknown if isinstance(unknown, int) else 0)
    if calls <= 0:
        return None
    if name == "cost_per_request":
        return card.cost_nanousd / calls
    if not card.statuses:
        return None
    passes = card.statuses.get("pass", 0)
    return card.cost_nanousd / passes if passes else inf


def usd(nanousd: float) -> str:
    return f"${nanousd / NANO:,.6g}"


def _relation(kept: bool) -> str:
    return "within the required" if kept else "above the required"
