"""A suite's own tests, one file a language, made to count what passes and to say the secret word at their end."""

from collections.abc import Callable, Mapping

from evaluator.suites.counting import bash, cpp, csharp, java, javascript, lua, perl, php, ruby
from evaluator.suites.suite import Check

MULTIPL_E: Mapping[str, Callable[[str], Check]] = {
    "cpp": cpp.multipl_e,
    "cs": csharp.multipl_e,
    "java": java.multipl_e,
    "js": javascript.multipl_e,
    "lua": lua.multipl_e,
    "php": php.multipl_e,
    "pl": perl.multipl_e,
    "rb": ruby.multipl_e,
    "sh": bash.multipl_e,
    "ts": javascript.multipl_e,
}
"""By MultiPL-E's name of the language; each takes a task's ``tests`` and raises ``SuiteError`` where it finds none."""
