"""What the upstreams do to a request, by seed: the same for the same request, server and turn in every run."""

from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.chaos.speech import END, Usage

Fault = Literal[
    "none",
    "slow",
    "no usage",
    "429",
    "500",
    "529",
    "reset before the answer",
    "silence before the answer",
    "empty",
    "reset midway",
    "garbage midway",
    "error midway",
    "silence midway",
    "unfinished",
    "endless",
]
_WEIGHTS: dict[Fault, float] = {
    "none": 60,
    "slow": 12,
    "no usage": 3,
    "429": 2,
    "500": 3,
    "529": 2,
    "reset before the answer": 3,
    "silence before the answer": 1,
    "empty": 2,
    "reset midway": 3,
    "garbage midway": 2,
    "error midway": 2,
    "silence midway": 1,
    "unfinished": 2,
    "endless": 1,
}
PEACEFUL = "knock-"
"""Asks whose ids begin so are answered well."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """``midway``: the words said before the fault. ``pause_s`` comes before each word."""

    fault: Fault
    words: tuple[str, ...]
    midway: int
    usage: Usage
    pause_s: float


def conduct(seed: int, server: str, ask: str, turn: int, mark: str) -> Conduct:
    """``turn`` counts how often this server was asked this; ``mark`` is the answer's first word."""
    dice = Random(f"{seed}:{server}:{ask}:{turn}")
    fault = dice.choices(tuple(_WEIGHTS), tuple(_WEIGHTS.values()))[0]
    if ask.startswith(PEACEFUL):
        fault = "none"
    length = dice.randrange(4, 30)
    words = (mark, *(f"w{number}" for number in range(length)), END)
    given = dice.randrange(20, 90)
    usage = Usage(given, dice.choice((0, 0, given // 2)), len(words))
    pause = dice.uniform(0.005, 0.03) if fault == "slow" else 0.0
    return Conduct(fault, words, dice.randrange(1, length), usage, pause)
