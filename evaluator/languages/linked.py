"""Tests linked with the solution, for compiled languages: each is compiled apart, as a unit, crate or package.

So a solution's macros, operators, types and library functions of its own bind nobody but itself. While it is compiled,
the tests and the judge's secret word lie in no file; when the program runs, the tests' first act, ahead of all of the
solution's code, is to take the word out of its file.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from evaluator.languages.language import Recipe
from evaluator.languages.preparation import Preparation

WORD_FILE = "weighbridge-word"

_TESTS = "\n//=== weighbridge: here the tests begin\n"
_WORD = "\n//=== weighbridge: here is the word\n"

_HIDE = """
tests=$(cat "$1") && word=$(cat weighbridge-word) && rm "$1" weighbridge-word
show() { printf '%s\\n' "$tests"; }
"""
_GIVE_WORD = 'printf %s "$word" >weighbridge-word\n'


@dataclass(frozen=True, slots=True)
class Parts:
    solution: str
    tests: str
    word: str


def after(hook: str, tests: str, word: str) -> str:
    """What follows a solution: ``hook`` is compiled with it and names what the tests call."""
    return f"\n{hook}{_TESTS}{tests}{_WORD}{word}\n"


def parts(source: str) -> Parts | None:
    """None where the source is a whole program. The last marks count: those before them are the solution's own."""
    rest, has_word, word = source.rpartition(_WORD)
    solution, has_tests, tests = rest.rpartition(_TESTS)
    return Parts(solution, tests, word.strip()) if has_word and has_tests else None


def recipe(files: Mapping[str, str], word: str, script: str, preparation: Preparation | None = None) -> Recipe:
    """``files``: the solution's, and then the tests'. ``script``: makes ``main``; ``show`` in it writes the tests."""
    hidden = list(files)[1]
    return Recipe(
        {name: text.encode(errors="replace") for name, text in {**files, WORD_FILE: word}.items()},
        ("./main",),
        compile=("sh", "-ec", _HIDE + script + _GIVE_WORD, "sh", hidden),
        keep=("main", WORD_FILE),
        preparation=preparation,
    )
