"""A suite's own tests, one file a language, made to count what passes and to say the secret word at their end."""

from collections.abc import Callable, Mapping

from evaluator.suites.counting import cpp
from evaluator.suites.suite import TestsCheck

MULTIPL_E: Mapping[str, Callable[[str], TestsCheck]] = {"cpp": cpp.multipl_e}
"""By MultiPL-E's name of the language; each takes a task's ``tests`` and raises ``SuiteError`` where it finds none."""
