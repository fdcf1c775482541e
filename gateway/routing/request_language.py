"""Which programming language a request is about, told by its text: fences, file names, and languages that it names.

No parser and no model: a few searches over the raw JSON of its prompt, in which text is escaped but otherwise as it
was written. They see the beginning and the end of a long prompt, and nothing of what lies between. Two languages that
are told equally well are none: it is better not to know than to refuse a route for a guess.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from policies.languages import ALIASES, EXTENSIONS

_PROMPTS = ("messages", "input", "prompt")
_SYSTEMS = ("system", "instructions")
_HEAD = 4 * 1024
_TAIL = 12 * 1024
_WORDY = 1024
"""Bytes that are searched for fences and file names at either end, and for names of languages, a slower search."""
_MOST = 64
"""Dots, and fences, that are looked at in one window, the last ones."""

_FENCE = re.compile(rb"```([A-Za-z][A-Za-z0-9+#]{0,15}+)")
_ENDING = re.compile(rb"\.([a-z][a-z0-9]{0,4}+)(?![A-Za-z0-9_(.\[]| ?=)")
_WORD = re.compile(
    rb"\b(Python|Rust|COBOL|Cobol|Fortran|FORTRAN|TypeScript|JavaScript|Golang|Java|C\+\+|C#|Ruby|PHP|Perl|Lua|Bash"
    rb"|(?<=in )Go|Go(?= (?:code|function|program))|(?<=in )C|C(?= (?:code|function|program)))(?![A-Za-z0-9_+#])"
)
_ENDINGS = frozenset(ending.encode() for ending in EXTENSIONS)
_FENCE_WEIGHT, _FILE_WEIGHT, _WORD_WEIGHT = 8, 4, 2
_SHELL = 1
"""What a fence of commands weighs: it stands beside code in any language."""


def language_of(fields: Mapping[str, msgspec.Raw]) -> str | None:
    """The language's name as scorecards write it, or None. Never raises, and reads at most 18 KiB."""
    scores: Counter[str] = Counter()
    prompt = next((fields[name] for name in _PROMPTS if name in fields), None)
    if prompt is not None:
        text = memoryview(prompt)
        head, tail = bytes(text[:_HEAD]), bytes(text[max(_HEAD, len(text) - _TAIL) :])
        for window in (head, tail):
            _weigh(scores, _marked(b"```", _FENCE, window), _FENCE_WEIGHT)
            _weigh(scores, [tag for tag in _marked(b".", _ENDING, window) if tag in _ENDINGS], _FILE_WEIGHT)
        _weigh(scores, _WORD.findall((tail or head)[-_WORDY:]), _WORD_WEIGHT)
    if not scores:
        for name in _SYSTEMS:
            if name in fields:
                _weigh(scores, _WORD.findall(bytes(memoryview(fields[name])[:_WORDY])), _WORD_WEIGHT)
    return _clear_winner(scores)


def _marked(mark: bytes, pattern: re.Pattern[bytes], window: bytes) -> list[bytes]:
    """What ``pattern`` finds from the window's 64th last mark on: however many marks there are, the time is bounded."""
    return pattern.findall(window, len(window.rsplit(mark, _MOST)[0]))


def _weigh(scores: Counter[str], tags: Iterable[bytes], weight: int) -> None:
    for tag, times in Counter(tags).items():
        language = ALIASES.get(tag.decode("ascii").lower())
        if language is not None:
            scores[language] += times * (_SHELL if language == "bash" else weight)


def _clear_winner(scores: Counter[str]) -> str | None:
    best = scores.most_common(2)
    if not best or (len(best) > 1 and best[0][1] == best[1][1]):
        return None
    return best[0][0]
