"""Finds the examples in a request for a Python function: doctests, asserts, calls with what they are to return.

The text is the client's: it is parsed here, within bounds, and run in a sandbox only. What cannot be read with
certainty is no example: a wrong one would reject right answers. Nothing but the request is looked at.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from evaluator.examples import inline
from evaluator.examples.expressions import BUILTINS, calls, claim, equals, is_none, literal, parsed, usable

LONGEST_TEXT = 32 * 1024
"""Characters; a longer request is looked at from its beginning, where it says what it asks for, and at its end."""

_MOST = 64
"""Examples of a kind, and functions."""

_LONGEST_ASSERT = 20
"""Lines."""

_DEFINED = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+([A-Za-z_]\w*)[ \t]*\(", re.MULTILINE)
_CALLED = re.compile(r"(?<![\w.])([A-Za-z_]\w*+)\(")
_CODE_BEGINS = re.compile(r"^(?:(?:from|import|class|def|async def)\s|@\w)", re.MULTILINE)
_FENCED = re.compile(
    r"^(?P<mark>`{3,}|~{3,})[ \t]*(?P<tag>[^\s`]*)[^\n]*\n(?P<code>.*?)^(?P=mark)", re.MULTILINE | re.DOTALL
)
_PYTHON = frozenset({"", "python", "py", "python3", "pycon", "text"})
_PROMPT = re.compile(r"^(?P<indent>[ \t]*)>>>[ \t]?(?P<source>.*)$")
_MORE = re.compile(r"^[ \t]*\.\.\.[ \t]?(.*)$")
_ENDS = re.compile(r"^[ \t]*(?:>>>.*|'''.*|\"\"\".*|```.*|~~~.*|)$")
_ASSERT = re.compile(r"^[ \t]*assert\b")


@dataclass(frozen=True, slots=True)
class Examples:
    """``tests`` are Python expressions, true where the functions that they call are right."""

    entry_point: str
    prompt: str
    """The code that an answer may go on with."""
    tests: tuple[str, ...]
    functions: tuple[str, ...]
    """Which of the answer's functions the tests call; the entry point among them."""


def find(text: str) -> Examples | None:
    """None where the text shows no example of a function that it asks for."""
    if len(text) > LONGEST_TEXT:
        text = text[: LONGEST_TEXT // 2] + "\n\n" + text[-LONGEST_TEXT // 2 :]
    code = _code(text)
    defined = tuple(dict.fromkeys(_DEFINED.findall(code)))[-_MOST:]
    if len(defined) == 1 and (other := _other_name(text, defined[0])) is not None:
        text = re.sub(rf"(?<![\w.]){other}(?=\()", defined[0], text)
    tests = list(dict.fromkeys([*_doctests(text), *_asserts(text), *inline.examples(text, defined, code)]))
    called = Counter(name for test in tests for name in calls(test) if not defined or name in defined)
    if not called:
        return None
    entry_point = max(called, key=lambda name: (called[name], defined.index(name) if defined else 0))
    known = frozenset(defined) or frozenset({entry_point})
    kept = tuple(test for test in tests if usable(test, entry_point, known))[:_MOST]
    functions = tuple(sorted({name for test in kept for name in calls(test)}))
    return Examples(entry_point, code, kept, functions) if kept else None


def _other_name(text: str, defined: str) -> str | None:
    """What the examples call the function, where nothing calls it by the name that its definition has."""
    names = {name for name in _CALLED.findall(_DEFINED.sub("", text)) if name not in BUILTINS}
    return names.pop() if len(names) == 1 and defined not in names else None


def _code(text: str) -> str:
    """What of the text is code that an answer may go on with; all of it where that cannot be told."""
    blocks = [block["code"] for block in _FENCED.finditer(text) if block["tag"].lower() in _PYTHON]
    for block in reversed(blocks):
        if _DEFINED.search(block):
            return block
    begins = _CODE_BEGINS.search(text)
    return text[begins.start() :] if begins and _DEFINED.search(text, begins.start()) else text


def _doctests(text: str) -> Iterator[str]:
    lines = text.split("\n")
    prompts = ((at, prompt["source"]) for at, line in enumerate(lines) if (prompt := _PROMPT.match(line)))
    for begins, source in islice(prompts, _MOST):
        at = begins + 1
        while at < len(lines) and (more := _MORE.match(lines[at])):
            source, at = f"{source}\n{more[1]}", at + 1
        want = []
        while at < len(lines) and not _ENDS.match(lines[at]):
            want.append(lines[at].strip())
            at += 1
        yield from _doctest(source.strip(), "\n".join(want).strip())


def _doctest(source: str, want: str) -> Iterator[str]:
    """Python's own rule: what shows nothing returned None. ``f(1) == 2`` is meant as a claim, whatever is shown."""
    expression = parsed(source)
    if expression is None:
        return
    if isinstance(expression, ast.Compare) and want in ("", "True"):
        yield claim(expression)
    elif not want and isinstance(expression, ast.Call):
        yield is_none(expression)
    elif want and (value := literal(want)) is not None:
        yield equals(expression, value)


def _asserts(text: str) -> Iterator[str]:
    lines = text.split("\n")
    for at in islice((at for at, line in enumerate(lines) if _ASSERT.match(line)), _MOST):
        for end in range(at + 1, min(len(lines), at + _LONGEST_ASSERT) + 1):
            statement = _statement("\n".join(lines[at:end]).strip())
            if isinstance(statement, ast.Assert):
                yield claim(statement.test)
                break


def _statement(source: str) -> ast.stmt | None:
    try:
        return next(iter(ast.parse(source).body), None)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
