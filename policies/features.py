"""What learned routing may know of a prompt: how long it is, what it shows, and which words stand in it.

Pure and cheap: at most ``MOST_CHARACTERS`` and ``MOST_WORDS`` are looked at. Training and serving call the same
function, and no text is kept: a word is one of ``BUCKETS`` numbers.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import log1p
from zlib import crc32

from policies.languages import LANGUAGES

VERSION = 1
"""Of everything in this file: a model that was fitted on other features is of no use."""
MOST_CHARACTERS = 3_000
MOST_WORDS = 400
BUCKETS = 1_024

_WORD = re.compile(r"[A-Za-z]{2,24}")
_EXAMPLE = re.compile(r">>>|assert\b|==>|=>|->|\u279e|Input:|Output:|[Ee]xample")
_NUMBER = re.compile(r"\d+")
_CONDITION = re.compile(r"\b(?:if|unless|otherwise|except|when|but|not|only|each|every|all|any)\b", re.IGNORECASE)
_BRACKET = re.compile(r"[\[({]")


@dataclass(frozen=True, slots=True)
class Features:
    """``numbers`` as ``NUMBERS`` names them; ``buckets`` of single words and of two in a row, ascending, once each."""

    numbers: tuple[float, ...]
    buckets: tuple[int, ...]


def features(text: str, language: str | None) -> Features:
    """Of what a user asks, its last ``MOST_CHARACTERS``; ``language`` as scorecards write it, where it is known."""
    shown = text[-MOST_CHARACTERS:]
    words = _WORD.findall(shown.lower())[-MOST_WORDS:]
    numbers = [count(shown, words) for count in _COUNTS.values()]
    spoken = [float(language == name) for name in _LANGUAGES]
    return Features((*numbers, *spoken), _buckets(words))


def _buckets(words: list[str]) -> tuple[int, ...]:
    terms = {*words, *map(" ".join, pairwise(words))}
    return tuple(sorted({crc32(term.encode()) % BUCKETS for term in terms}))


_COUNTS: dict[str, Callable[[str, list[str]], float]] = {
    "characters": lambda shown, words: log1p(len(shown)),
    "lines": lambda shown, words: log1p(shown.count("\n")),
    "words": lambda shown, words: log1p(len(words)),
    "different words": lambda shown, words: len(set(words)) / (len(words) or 1),
    "letters a word": lambda shown, words: sum(map(len, words)) / (len(words) or 1),
    "examples": lambda shown, words: log1p(len(_EXAMPLE.findall(shown))),
    "numbers": lambda shown, words: log1p(len(_NUMBER.findall(shown))),
    "conditions": lambda shown, words: log1p(len(_CONDITION.findall(shown))),
    "brackets": lambda shown, words: log1p(len(_BRACKET.findall(shown))),
    "commas": lambda shown, words: log1p(shown.count(",")),
    "indented lines": lambda shown, words: log1p(shown.count("\n    ")),
    "quotes": lambda shown, words: log1p(shown.count('"') + shown.count("'")),
}
_LANGUAGES = sorted(LANGUAGES)
NUMBERS = (*_COUNTS, *_LANGUAGES)
