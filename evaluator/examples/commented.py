"""Finds the examples in a request for a function of another language than Python: calls with what they return, as they
stand in comments.

    // >>> f([1, 2], "a")          # f(1) => 2          * f(1) should return 2.
    // 3

As in ``find``, what cannot be read with certainty is no example: arguments and results are plain literals, on one line.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from evaluator.suites.counting.expressions import closing

LONGEST_TEXT = 32 * 1024
_MOST = 32

_NAME = r"[A-Za-z_]\w*"
_LONGEST_LINE = 500
_COMMENT = re.compile(r"[ \t]*+(?://++|/\*++|#++|--++|\*++(?!/))?[ \t]*+")
_TYPED = re.compile(r"(?:\)|\w\??)[ \t]*+:[ \t]*+[A-Za-z\[{]")
_BLOCK_BEGINS = re.compile(r"[{>][ \t]*+$", re.MULTILINE)
_PYTHON = re.compile(r"^[ \t]*+(?:async[ \t]++)?def[ \t][^\n]*+(?<=:)$", re.MULTILINE)
_CALL = re.compile(rf"(?P<name>{_NAME}[?!]?)(?:\.call|\.)?\(")
_LEADS_TO = re.compile(
    r"[ \t]*;?[ \t]*(?://|#|--)?[ \t]*"
    r"(?:={2,3}|=>|-+>|➞|→|⇒|(?:should|must|will)[ \t]+(?:return|be|give)|returns?)[ \t]*:?[ \t]*",
    re.IGNORECASE,
)
_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'')
_PLAIN = re.compile(r"(?:\s|[\[\]{}(),:]|=>|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])|(?<!\w)[A-Za-z]+(?!\w)|=|\"\")+")
_FLOAT = re.compile(r"(?<![\w.])\d*\.\d+(?:[eE][-+]?\d+)?|(?<![\w.])\d+[eE][-+]?\d+")
_FENCED = re.compile(
    r"^(?P<mark>`{3,}|~{3,})[ \t]*(?P<tag>[^\s`]*)[^\n]*\n(?P<code>.*?)^(?P=mark)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Shown:
    """``arguments`` and ``value`` as they stand there."""

    arguments: str
    value: str


@dataclass(frozen=True, slots=True)
class Commented:
    language: str
    entry_point: str
    prompt: str
    """The code that an answer may go on with; empty where the text is more than code."""
    examples: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a language is written, as far as it matters here. ``words``: of its literals."""

    defined: re.Pattern[str]
    words: frozenset[str]
    interpolates: re.Pattern[str] | None = None
    """What a string in double quotes must not hold."""
    exact_floats: bool = True
    """Results are compared without tolerance: of floats only those count that are exact sums of powers of two."""
    fits: Callable[[str], bool] = lambda value: True
    """Whether a result can only be meant as it stands."""


_FUNCTION = rf"^[ \t]*(?:export[ \t]+)?(?:default[ \t]+)?(?:async[ \t]+)?function[ \t]+(?P<f>{_NAME})[ \t]*[<(]"
_ARROW = (
    rf"^[ \t]*(?:export[ \t]+)?(?:const|let|var)[ \t]+(?P<a>{_NAME})[^=\n]*=[ \t]*"
    r"(?:async[ \t]*)?(?:function\b|[^\n]*=>)"
)
_SCRIPT = re.compile(f"{_FUNCTION}|{_ARROW}", re.MULTILINE)


def _no_hole(value: str) -> bool:
    """Lua's tables hold no nil."""
    return value in ("nil", "None") or not re.search(r"\b(?:nil|None)\b", _STRING.sub('""', value))


SPELLINGS: Mapping[str, Spelling] = {
    "javascript": Spelling(_SCRIPT, frozenset({"true", "false", "null", "undefined"}), exact_floats=False),
    "typescript": Spelling(_SCRIPT, frozenset({"true", "false", "null", "undefined"}), exact_floats=False),
    "ruby": Spelling(
        re.compile(rf"^[ \t]*def[ \t]+(?P<f>{_NAME}[?!]?)(?:[ \t]*\([^\n]*\))?[ \t]*$", re.MULTILINE),
        frozenset({"true", "false", "nil"}),
        re.compile(r"#[{$@]"),
    ),
    "php": Spelling(
        re.compile(rf"^[ \t]*function[ \t]+(?P<f>{_NAME})[ \t]*\(", re.MULTILINE),
        frozenset({"true", "false", "null", "array"}),
        re.compile(r"\$|\{"),
    ),
    "lua": Spelling(
        re.compile(rf"^[ \t]*(?:local[ \t]+)?function[ \t]+(?P<f>{_NAME})[ \t]*\(", re.MULTILINE),
        frozenset({"true", "false", "nil", "None"}),
        fits=_no_hole,
    ),
    "perl": Spelling(
        re.compile(rf"^[ \t]*sub[ \t]+(?P<f>{_NAME})", re.MULTILINE),
        frozenset({"undef"}),
        re.compile(r"[$@]"),
        fits=lambda value: value != '""',  # an empty string, or false, which may be 0 as well
    ),
}


def find(text: str, language: str) -> Commented | None:
    """None where the text shows no example of a function that it asks for."""
    spelling = SPELLINGS[language]
    text = text[:LONGEST_TEXT]
    lines = _lines(text)
    code = _code(text, spelling)
    defined = _defined(code, spelling)
    found = list(islice(_examples(lines, spelling), _MOST))
    names = [name for name, _ in found if name in defined]
    if not names:
        return None
    entry_point = max(dict.fromkeys(names), key=lambda name: (names.count(name), defined.index(name)))
    examples = tuple(dict.fromkeys(shown for name, shown in found if name == entry_point))
    if len({shown.arguments for shown in examples}) < len(examples):  # they contradict each other
        return None
    return Commented(language, entry_point, code if _is_code(code, spelling) else "", examples)


def language_of(text: str) -> str | None:
    """By how functions are defined in it, where that is said of one language only. Python is not among them."""
    text = "\n".join(line.rstrip() for line in _lines(text[:LONGEST_TEXT]))
    if "<?php" in text:
        return "php"
    if _PYTHON.search(text):
        return None
    found = {language for language in ("ruby", "lua", "perl") if SPELLINGS[language].defined.search(text)}
    found -= {"lua"} if not re.search(r"^[ \t]*+(?:local[ \t]++function|--)", text, re.MULTILINE) else set()
    if (script := _SCRIPT.search(text)) and _BLOCK_BEGINS.search(text):
        line = text[script.start() :].lstrip().partition("\n")[0]
        found.add("typescript" if _TYPED.search(line.partition("(")[2]) else "javascript")
    return found.pop() if len(found) == 1 else None


def _lines(text: str) -> list[str]:
    """Those that are too long to be looked at are empty."""
    return [line if len(line) <= _LONGEST_LINE else "" for line in text.split("\n")]


def _code(text: str, spelling: Spelling) -> str:
    blocks = [block["code"] for block in _FENCED.finditer(text)]
    return next((block for block in reversed(blocks) if spelling.defined.search(block)), text)


def _is_code(code: str, spelling: Spelling) -> bool:
    """Whether it begins as code does: what stands in prose is nothing to go on with."""
    first = next((line.strip() for line in code.split("\n") if line.strip()), "")
    return first.startswith(("//", "/*", "#", "--", "<?php")) or spelling.defined.match(first) is not None


def _defined(code: str, spelling: Spelling) -> list[str]:
    return list(dict.fromkeys(name for found in spelling.defined.finditer(code) for name in found.groups() if name))


def _uncommented(line: str) -> str:
    begins = _COMMENT.match(line)
    return line[begins.end() if begins else 0 :].rstrip().removesuffix("*/").rstrip()


def _examples(commented: Sequence[str], spelling: Spelling) -> Iterator[tuple[str, Shown]]:
    lines = [*map(_uncommented, commented)]
    for at, line in enumerate(lines):
        begins = line.startswith(">>>")
        source = line.removeprefix(">>>").strip()
        call = _CALL.match(source)
        if call is None:
            continue
        try:
            end = closing(source, call.end() - 1)
        except ValueError:
            continue
        arguments, rest = source[call.end() : end].strip(), source[end + 1 :].strip()
        if begins and rest in ("", ";"):
            value = lines[at + 1].strip() if at + 1 < len(lines) else ""
        elif (leads := _LEADS_TO.match(rest)) and not begins:
            value = rest[leads.end() :].strip().rstrip(".;").strip() if not rest[leads.end() :].endswith("...") else ""
        else:
            continue
        if _is_literal(arguments, spelling, empty=True) and _is_result(value, spelling):
            yield call["name"], Shown(arguments, value)


def _is_result(value: str, spelling: Spelling) -> bool:
    if not _is_literal(value, spelling) or not spelling.fits(value):
        return False
    floats = _FLOAT.findall(_STRING.sub('""', value)) if spelling.exact_floats else ()
    return all((float(number) * 1024).is_integer() for number in floats)


def _is_literal(text: str, spelling: Spelling, *, empty: bool = False) -> bool:
    """Numbers, strings, the language's own words, and brackets around them, all closed."""
    if not text:
        return empty
    strings = _STRING.findall(text)
    if spelling.interpolates and any(each[0] == '"' and spelling.interpolates.search(each) for each in strings):
        return False
    bare = _STRING.sub('""', text)
    words = set(re.findall(r"[A-Za-z]+", re.sub(r"\d[\d.]*[eE][-+]?\d+", "0", bare)))
    if not _PLAIN.fullmatch(bare) or not words <= spelling.words:
        return False
    try:
        return "(" not in bare.replace("array(", "") and closing(f"({bare})", 0) == len(bare) + 1
    except ValueError:
        return False
