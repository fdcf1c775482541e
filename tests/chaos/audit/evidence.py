"""What a run leaves behind, gathered from everybody who took part."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.chaos.clients import Answer
from tests.chaos.deeds import Done
from tests.chaos.faults import Fault
from tests.chaos.plan import Holder, Plan
from tests.chaos.speech import Usage
from tests.chaos.store import Row

SPEAKS_ON = frozenset(("miss", "bypass"))
"""What the ledger calls the cache of a request that had an answer of its own."""


@dataclass(frozen=True, slots=True)
class Served:
    """One request as an upstream saw it. ``said``: words that went out at most; ``usage``: what it was to report."""

    ask: str
    server: str
    turn: int
    fault: Fault
    usage: Usage | None
    said: int


@dataclass(frozen=True, slots=True)
class LimitState:
    """An account in Valkey: ``holds`` are the ids of requests that it still has something reserved for."""

    account: str
    held: int
    spent: int
    holds: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    plan: Plan
    answers: Sequence[Answer]
    rows: Sequence[Row]
    served: Sequence[Served]
    done: Done
    servers: Mapping[str, str]
    """Upstreams' names by URL."""
    key_ids: Mapping[str, str]
    limits: Sequence[LimitState] = ()
    entries: Mapping[str, bytes] = field(default_factory=dict)
    """What the cache holds, by key."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Logs, metrics and spools, by what they are."""
    secrets: Sequence[str] = ()

    @cached_property
    def rows_of(self) -> Mapping[str, list[Row]]:
        """By ask."""
        found = defaultdict(list)
        for row in self.rows:
            found[row["session"]].append(row)
        return found

    @cached_property
    def served_of(self) -> Mapping[str, list[Served]]:
        """By ask."""
        found = defaultdict(list)
        for served in self.served:
            found[served.ask].append(served)
        return found

    def holder(self, row: Row) -> Holder | None:
        names = {key_id: name for name, key_id in self.key_ids.items()}
        name = names.get(row["key_id"] or "")
        return next((holder for holder in self.plan.holders if holder.name == name), None)


def read_served(logs: Iterable[Path]) -> list[Served]:
    """A killed server wrote no ``said`` line: it may have said everything."""
    asked: dict[tuple[str, str, int], list[dict[str, Any]]] = defaultdict(list)
    said: dict[tuple[str, str, int], list[int]] = defaultdict(list)
    for log in logs:
        for line in log.read_bytes().splitlines():
            event = json.loads(line)
            key = (event["ask"], event["server"], event["turn"])
            if event["event"] == "asked":
                asked[key].append(event)
            else:
                said[key].append(event["said"])
    return [
        Served(key[0], key[1], key[2], event["fault"], _usage(event), max([event["words"], *said[key]]))
        if len(said[key]) < len(events)
        else Served(key[0], key[1], key[2], event["fault"], _usage(event), max(said[key]))
        for key, events in asked.items()
        for event in events
    ]


def _usage(event: Mapping[str, Any]) -> Usage | None:
    return Usage(*event["usage"]) if event["usage"] is not None else None
