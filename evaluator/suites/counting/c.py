"""C: the tests are a unit of their own, which knows the solution by its prototype only."""

import re

from evaluator.languages.gnu import ENTRY
from evaluator.languages.linked import after
from evaluator.suites.counting.gnu import BEGIN, counted
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_INCLUDE = re.compile(r"^\s*#\s*include.*$", re.MULTILINE)
_ALIAS = 'extern __typeof__({name}) {entry} __attribute__((alias("{name}")));\n'


def prototype(function: str, name: str) -> str:
    """``int func0(int a[], int n)`` of the function's definition. Raises SuiteError."""
    found = re.search(rf"^\w[\w \t*]*?\b{name}\s*\([^;{{}}]*\)(?=\s*\{{)", function, re.MULTILINE)
    if found is None:
        raise SuiteError(f"the C code defines no function {name!r}", "give the whole function")
    return found[0]


def decompile(function: str, test: str, name: str) -> TestsCheck:
    """``function`` is the right one, from which ``test`` has its prototype and includes."""
    text, count = counted(test)
    known = "\n".join(_INCLUDE.findall(function))
    program = f'{known}\n{BEGIN}{prototype(function, name)} __asm__("{ENTRY}");\n{text}'
    return TestsCheck("", after(_ALIAS.format(name=name, entry=ENTRY), program, NONCE), count)
