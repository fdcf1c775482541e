"""Learned routing: for each request the route that is worth most by its predicted chance of solving it, less its cost.

It only ever brings one of the routes that the policy keeps to the front. Where it does not know enough the order stays
that of the policy's objective, and the reason says why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from math import exp, sqrt
from operator import mul
from typing import Any, Literal

from backends.route import Route
from policies.features import Features
from policies.learned_model import MOST_DEVIATIONS, FittedRoute, ModelFile, best

Unread = Literal["unseen", "more_than_text", "unreadable", "language"]

_UNREAD: dict[Unread, str] = {
    "unseen": "no prompt is given",
    "more_than_text": "the request asks for more than text",
    "unreadable": "its opening is not a text that can be read",
    "language": "it was fitted on no tasks in the request's language",
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is known of a request's prompt: features, or why there are none."""

    features: Features | None = field(default=None, repr=False)
    language: str | None = None
    unread: Unread = "unseen"


@dataclass(frozen=True, slots=True, eq=False)
class LearnedModel:
    """A model that was allowed to route; ``worth_nanousd`` may be another than its file's."""

    routes: tuple[FittedRoute, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    languages: frozenset[str]
    worth_nanousd: int
    source: str
    """What it is called where a decision is explained."""

    @classmethod
    def of(cls, file: ModelFile, worth_nanousd: int, source: str) -> "LearnedModel":
        scale = file.scale
        languages = frozenset(file.languages)
        return cls(tuple(file.routes), tuple(scale.mean), tuple(scale.deviation), languages, worth_nanousd, source)

    def predict(self, prompt: Features) -> list[float]:
        """The chance of solving it, of each route."""
        numbers = [
            max(-MOST_DEVIATIONS, min(MOST_DEVIATIONS, (number - mean) / deviation)) if deviation else 0.0
            for number, mean, deviation in zip(prompt.numbers, self.mean, self.deviation, strict=True)
        ]
        return [_logistic(_logit(route, numbers, prompt.buckets)) for route in self.routes]


@dataclass(frozen=True, slots=True)
class Odds:
    """Of one route, for one request."""

    route: str
    solved: float
    """The predicted chance."""
    cost_nanousd: int
    """Mean of a task that it was fitted on."""


@dataclass(frozen=True, slots=True)
class Pick:
    """``route`` None: the order is that of the policy without the model, and ``why`` says why."""

    route: str | None
    why: str
    model: str
    odds: tuple[Odds, ...] = ()
    worth_nanousd: int = 0

    def first(self, routes: tuple[Route, ...]) -> tuple[Route, ...]:
        """The picked one first, the others as they were."""
        if self.route is None:
            return routes
        return tuple(sorted(routes, key=lambda route: route.name != self.route))

    def explain(self) -> dict[str, Any]:
        """As plain types for JSON."""
        return {
            "model": self.model,
            "picked": self.route,
            "reason": self.reason,
            "worth_nanousd": self.worth_nanousd,
            "odds": [asdict(odds) for odds in self.odds],
        }

    @property
    def reason(self) -> str:
        """In a sentence."""
        if self.route is None:
            return f"{self.model} does not pick: {self.why}"
        told = ", ".join(f"{odds.route} {odds.solved:.2f} at {_usd(odds.cost_nanousd)}" for odds in self.odds)
        return (
            f"{self.model} picks {self.route}: chance of solving this and cost of a task are {told};"
            f" a solved one is worth {_usd(self.worth_nanousd)}"
        )


@dataclass(frozen=True, slots=True)
class Learning:
    """A model under one policy and snapshot. ``unfit`` says why it cannot pick at all; None: it can."""

    model: LearnedModel
    unfit: str | None
    costs: tuple[float, ...]
    """Of its routes, in shares of what a solved request is worth."""

    @classmethod
    def of(cls, model: LearnedModel, qualified: Iterable[Route]) -> "Learning":
        costs = tuple(route.cost_nanousd / model.worth_nanousd for route in model.routes)
        return cls(model, _unfit(model, {route.name: route.revision.id for route in qualified}), costs)

    def pick(self, routes: Sequence[Route], prompt: Prompt | None) -> Pick:
        """``routes`` may serve this request, in the policy's own order. Only what was weighed on unseen tasks counts: a
        choice among all of the model's routes.
        """
        if (why := self._why_not(routes, prompt)) is not None:
            return Pick(None, why, self.model.source)
        assert prompt is not None and prompt.features is not None
        predicted = self.model.predict(prompt.features)
        picked = self.model.routes[best(predicted, self.costs)].route
        odds = zip(self.model.routes, predicted, strict=True)
        told = tuple(Odds(fitted.route, chance, fitted.cost_nanousd) for fitted, chance in odds)
        return Pick(picked, "", self.model.source, told, self.model.worth_nanousd)

    def _why_not(self, routes: Sequence[Route], prompt: Prompt | None) -> str | None:
        if self.unfit is not None:
            return self.unfit
        if prompt is None or prompt.features is None:
            return _UNREAD["unseen" if prompt is None else prompt.unread]
        if prompt.language is not None and prompt.language not in self.model.languages:
            return _UNREAD["language"]
        names = {route.name for route in routes}
        fitted = [each.route for each in self.model.routes]
        if not names.issuperset(fitted):
            return "not all of its routes may serve this request"
        if routes[0].name not in fitted:
            return f"it was not fitted on {routes[0].name}, which comes first without it"
        return None


def _unfit(model: LearnedModel, qualified: dict[str, str]) -> str | None:
    for fitted in model.routes:
        if fitted.route not in qualified:
            return f"{fitted.route}, one of its routes, is not kept"
        if fitted.revision != qualified[fitted.route]:
            return f"{fitted.route} is at revision {qualified[fitted.route]}, and it was fitted on {fitted.revision}"
    return None


def _logit(route: FittedRoute, numbers: Sequence[float], buckets: Sequence[int]) -> float:
    counted = sum(map(mul, route.numbers, numbers), route.bias)
    if not buckets:
        return counted
    return counted + sum(map(route.buckets.__getitem__, buckets)) / sqrt(len(buckets))


def _usd(nanousd: int) -> str:
    return f"${nanousd / 1e9:.9f}".rstrip("0").rstrip(".")


def _logistic(logit: float) -> float:
    return 1 / (1 + exp(-logit)) if logit >= 0 else exp(logit) / (1 + exp(logit))  # neither overflows
