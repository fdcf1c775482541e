"""A run, decided before it begins: one seed gives who asks what, and what is done to whom after how many requests."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

from tests.chaos.speech import PATHS, WireName

CANARY = "canary-prompt-9417"
"""In every prompt; it must be in no log, no metric, no error and no ledger."""

RATE = 80
"""Requests begun a second."""

Deed = Literal[
    "worker dies",
    "gateway dies",
    "gateway is told to stop",
    "valkey dies",
    "valkey is flushed",
    "valkey hangs",
    "upstream dies",
    "store dies",
    "config breaks",
]
DEEDS: tuple[Deed, ...] = (
    "worker dies",
    "upstream dies",
    "valkey dies",
    "gateway dies",
    "store dies",
    "valkey hangs",
    "worker dies",
    "gateway is told to stop",
    "valkey is flushed",
    "config breaks",
)
_COMMON, _COMMON_SHARE, _SAME_AGAIN = 60, 0.4, 0.15


@dataclass(frozen=True, slots=True)
class Holder:
    """Who asks. ``order`` is what the admin API is told of its key; None: the gateway's own key.

    Budgets are nano-dollars a month; ``together`` is the budget of all keys of its customer.
    """

    name: str
    tenant: str
    order: dict[str, Any] | None = None
    hard: int | None = None
    soft: int | None = None
    together: int | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. ``leaves_after``: bytes of the answer's body after which the client is gone."""

    id: str
    holder: str
    tenant: str
    gateway: int
    wire: WireName
    model: str
    stream: bool
    include_usage: bool
    prompt: str
    no_store: bool
    leaves_after: int | None


@dataclass(frozen=True, slots=True)
class Act:
    """Done when the ``at``-th request begins. ``which`` picks among gateways, workers or upstreams."""

    at: int
    deed: Deed
    which: int
    down_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    holders: tuple[Holder, ...]
    asks: tuple[Ask, ...]
    acts: tuple[Act, ...]


def plan(seed: int, requests: int) -> Plan:
    dice = Random(f"{seed}:plan")
    holders = _holders(requests)
    asks: list[Ask] = []
    for number in range(requests):
        asks.append(_ask(dice, number, holders, f"s{seed}", asks[-1] if asks else None))
    return Plan(seed, holders, tuple(asks), _acts(Random(f"{seed}:acts"), requests))


def _holders(requests: int) -> tuple[Holder, ...]:
    """Each asks an eighth of it; the budgets are reached on the way."""
    budget = 3_000_000 + requests * 4_000
    hard = {"month": {"usd": f"{budget / 1e9:.9f}", "hard": True}}
    soft = {"month": {"usd": f"{budget / 1e9:.9f}", "hard": False}, "parallel": SOFT_PARALLEL}
    return (
        Holder("operator", "operator"),
        Holder("alice", "acme", {"customer": "acme"}),
        Holder("bob", "acme", {"customer": "acme", "rpm": 600, "tpm": 1_000_000}),
        Holder("carol", "red", {"team": "red", "parallel": 6}),
        Holder("dave", "dave", hard, hard=budget),
        Holder("erin", "erin", soft, soft=budget),
        Holder("frank", "globex", {"customer": "globex", "day": {"usd": "1000"}}, together=budget),
        Holder("grace", "globex", {"customer": "globex"}, together=budget),
    )


SOFT_PARALLEL = 4


def _ask(dice: Random, number: int, holders: tuple[Holder, ...], prefix: str, before: Ask | None) -> Ask:
    """Some ask what others asked, some even at the same time: what the one before asked, or a common prompt, whose
    wire, form and model are always the same, so that all of its tenant's requests are one question.
    """
    holder = dice.choice(holders)
    common = min(dice.randrange(_COMMON) for _ in range(2)) if dice.random() < _COMMON_SHARE else None
    form = Random(common) if common is not None else dice
    wire = form.choices(tuple(PATHS), (5, 1, 2, 2))[0]
    stream = form.random() < 0.6
    leaves = dice.random() < 0.06
    ask = Ask(
        id=f"{prefix}-{number}",
        holder=holder.name,
        tenant=holder.tenant,
        gateway=dice.randrange(2),
        wire=wire,
        model=form.choices(("small", "large", "auto"), (3, 1, 6))[0],
        stream=stream,
        include_usage=wire in ("chat", "completions") and stream and form.random() < 0.3,
        prompt=f"{CANARY} question {number if common is None else f'common {common}'}",
        no_store=dice.random() < 0.05,
        leaves_after=dice.randrange(1500) if leaves else None,
    )
    if before is not None and dice.random() < _SAME_AGAIN:
        return replace(before, id=ask.id, gateway=ask.gateway, leaves_after=ask.leaves_after)
    return ask


def _acts(dice: Random, requests: int) -> tuple[Act, ...]:
    """Every deed at least once in two thousand requests, in another order each time; the last tenth is peaceful."""
    gap = min(300, max(25, requests // (len(DEEDS) + 2)))
    places = range(gap, int(requests * 0.9), gap)
    deeds: list[Deed] = []
    while len(deeds) < len(places):
        deeds += dice.sample(DEEDS, len(DEEDS))
    return tuple(
        Act(at + dice.randrange(gap // 2), deed, dice.randrange(1_000), dice.uniform(0.2, 1.2))
        for at, deed in zip(places, deeds, strict=False)
    )
