"""The gateway on each wire beside chat, and with an agent's long history, in the same round as its chats."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.bench.load import Seen, Target, send
from tests.bench.phase import AT_ONCE, MANY_AT_ONCE, Rows, added_ms, by_turns, phase
from tests.bench.questions import PATHS, STREAMING, WITH_HISTORY, Kind

SHORT = tuple(Kind(wire) for wire in PATHS if wire != "chat")
STREAMED = tuple(Kind(kind.wire, stream=True) for kind in SHORT if kind.wire in STREAMING)
HISTORIES = tuple(Kind(wire, "history") for wire in WITH_HISTORY)
LOADED = (*SHORT, *STREAMED, *HISTORIES)
ALONE = (*SHORT, *HISTORIES)


@dataclass(frozen=True, slots=True)
class WireLoad:
    """How much is asked of each kind; ``turns`` times ``alone`` requests go one at a time."""

    requests: int
    streams: int
    turns: int
    alone: int
    settle_s: float

    @property
    def asked(self) -> int:
        """Requests of both measurements, the first ones of each kind too, which are not measured."""
        loaded = sum(_at_once(kind) + self.count(kind) for kind in LOADED)
        return loaded + len(ALONE) * self.turns * self.alone

    def count(self, kind: Kind) -> int:
        return self.streams if kind.stream else self.requests


async def cpu_by_kind(rows: Rows, row: str, target: Target, load: WireLoad) -> Mapping[Kind, float]:
    """Microseconds of the ``row``'s CPU, by request: 8 at once, of streams 32."""
    found = {}
    for kind in LOADED:
        await send(target, _at_once(kind), _at_once(kind), kind)
        measured = await phase(rows, send(target, load.count(kind), _at_once(kind), kind), load.settle_s)
        found[kind] = measured.cpu_us[row]
    return found


async def added_by_kind(target: Target, direct: Target, load: WireLoad) -> Mapping[Kind, float]:
    """Milliseconds at p50, one request at a time."""
    found = {}
    for kind in ALONE:
        past = Seen()
        found[kind] = added_ms(await by_turns(target, direct, past, load.turns, load.alone, kind), past, 50)
    return found


def _at_once(kind: Kind) -> int:
    return MANY_AT_ONCE if kind.stream else AT_ONCE
