"""A suite's own tests, one file a language, made to count what passes and to say the secret word at their end."""

from collections.abc import Callable, Mapping

from evaluator.suites.counting import bash, cpp, csharp, go, java, javascript, lua, perl, php, python, ruby, rust
from evaluator.suites.suite import Check

MULTIPL_E: Mapping[str, Callable[[str], Check]] = {
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

MULTIPL_E_BY_PROMPT: Mapping[str, Callable[[str, str], Check]] = {
    "cpp": cpp.multipl_e,
    "go": go.multipl_e,
    "go_test.go": go.multipl_e,
    "rs": rust.multipl_e,
}
"""The same for languages whose tests have to know the prompt too: they take the ``tests`` and the ``prompt``."""

HUMANEVAL_X: Mapping[str, Callable[[str, str], Check]] = {
    "cpp": cpp.humaneval_x,
    "go": go.humaneval_x,
    "java": java.humaneval_x,
    "javascript": javascript.humaneval_x,
    "python": python.humaneval_x,
    "rust": rust.humaneval_x,
}
"""By our name of the language; each takes a task's ``test``, its set-up included, and its ``declaration``."""
