"""Programming languages: one file says how to assemble, compile and run a solution."""

from collections.abc import Mapping

from evaluator.languages.cpp import Cpp
from evaluator.languages.javascript import JavaScript
from evaluator.languages.language import CallsFunctions, Language, Recipe
from evaluator.languages.python import Python

_ALL: tuple[Language, ...] = (Python(), JavaScript(), Cpp())

LANGUAGES: Mapping[str, Language] = {language.name: language for language in _ALL}

__all__ = ["LANGUAGES", "CallsFunctions", "JavaScript", "Language", "Python", "Recipe"]
