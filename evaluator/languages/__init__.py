"""Programming languages: one file says how to assemble, compile and run a solution."""

from collections.abc import Mapping

from evaluator.languages.javascript import JavaScript
from evaluator.languages.language import Language
from evaluator.languages.python import Python

LANGUAGES: Mapping[str, Language] = {language.name: language for language in (Python(), JavaScript())}

__all__ = ["LANGUAGES", "JavaScript", "Language", "Python"]
