"""The decision matrix as data: a row a route, with what was measured on each suite and what was not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from policies.correctness import Correctness
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot, newest

CONFIDENCE = 0.95

SuiteKey = tuple[str, str, str]
"""Suite, language and origin: published figures stand apart from measured ones."""


class TokenPrice(msgspec.Struct, frozen=True):
    input_nanousd_per_million: int
    output_nanousd_per_million: int


class Facts(msgspec.Struct, frozen=True):
    """What the gateway's `/v1/models` says of a route under `weighbridge`."""

    kind: str
    revision: str | None = None
    price: TokenPrice | None = None
    licence: str | None = None
    residency: str | None = None
    open_weights: bool | None = None
    fine_tuning: bool | None = None
    context_window: int | None = None
    languages: list[str] | None = None
    healthy: bool = False


class _Model(msgspec.Struct):
    id: str
    weighbridge: Facts


class _Models(msgspec.Struct):
    data: list[_Model]


@dataclass(frozen=True, slots=True)
class Cost:
    """Nano-dollars, over the samples whose cost is known; a figure without a divisor is None."""

    per_1k_tokens: int | None = None
    per_request: int | None = None
    per_1000_calls: int | None = None
    per_solved_task: int | None = None

    @classmethod
    def of(cls, card: Scorecard) -> "Cost":
        """A solved task costs the whole run, failures too, over its passes: each sample is a try of its own."""
        unknown = card.manifest.get("cost_unknown", 0)
        calls = card.asked - (unknown if isinstance(unknown, int) else 0)
        if calls <= 0:
            return cls()
        spent = card.cost_nanousd
        return cls(
            per_1k_tokens=_divided(spent * 1000, card.input_tokens + card.output_tokens),
            per_request=_divided(spent, calls),
            per_1000_calls=_divided(spent * 1000, calls),
            per_solved_task=_divided(spent, card.statuses.get("pass", 0)),
        )


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """One route on one suite in one language; ``card`` None when this revision was not measured there."""

    suite: str
    language: str
    origin: str
    card: Scorecard | None
    note: str = ""

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.card is None else interval(self.card)

    @property
    def cost(self) -> Cost:
        return Cost() if self.card is None else Cost.of(self.card)


@dataclass(frozen=True, slots=True)
class RouteRow:
    name: str
    facts: Facts
    results: tuple[SuiteResult, ...]


def interval(card: Scorecard) -> tuple[float, float] | None:
    """Of pass@1 at ``CONFIDENCE``; None when nothing was scored."""
    return Correctness.of(card).interval(CONFIDENCE)


def routes_of(models: object) -> dict[str, Facts]:
    """The routes in an answer of `/v1/models`, in its order. Raises msgspec.ValidationError for any other answer."""
    return {
        model.id: model.weighbridge
        for model in msgspec.convert(models, _Models).data
        if model.weighbridge.kind == "route"
    }


def matrix(routes: Mapping[str, Facts], snapshot: Snapshot) -> tuple[RouteRow, ...]:
    """Every route against every suite and language that any of them was measured on."""
    cards = [card for card in snapshot.scorecards if card.route in routes]
    keys = sorted({_key(card) for card in cards})
    return tuple(RouteRow(name, facts, _results(name, facts, keys, cards)) for name, facts in routes.items())


def _results(route: str, facts: Facts, keys: Iterable[SuiteKey], cards: Sequence[Scorecard]) -> tuple[SuiteResult, ...]:
    own = [card for card in cards if card.route == route]
    return tuple(_result(key, facts.revision, [card for card in own if _key(card) == key]) for key in keys)


def _result(key: SuiteKey, revision: str | None, cards: Sequence[Scorecard]) -> SuiteResult:
    current = [card for card in cards if card.revision == revision or card.origin == "published"]
    if current:
        card = newest(current)
        return SuiteResult(*key, card, "partial suite" if card.partial else "")
    if cards:
        before = newest(cards)
        return SuiteResult(*key, None, f"measured at {before.revision}")
    return SuiteResult(*key, None)


def _key(card: Scorecard) -> SuiteKey:
    return card.suite, card.language, card.origin


def _divided(amount: int, by: int) -> int | None:
    return (2 * amount + by) // (2 * by) if by else None
