"""C++: the tests are a unit of their own, which knows the solution by its declared signature only."""

import re
from dataclasses import dataclass

from evaluator.languages.gnu import ENTRY
from evaluator.languages.linked import after
from evaluator.suites.counting.expressions import arguments
from evaluator.suites.counting.gnu import BEGIN, counted
from evaluator.suites.suite import NONCE, SuiteError, TestsCheck

_SIGNATURE = re.compile(r"^(?P<type>\w[\w:<>, ]*?)\s+(?P<name>\w+)\((?P<parameters>[^{}]*)\)\s*\{", re.MULTILINE)
_KNOWN = re.compile(r"^\s*(?:#\s*include.*|using namespace std;)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Signature:
    type: str
    name: str
    parameters: str

    @property
    def names(self) -> str:
        """Of the parameters, as a call passes them on."""
        found = (re.search(r"(\w+)\s*(?:\[\])?\Z", parameter) for parameter in _split(self.parameters))
        return ", ".join(name[1] for name in found if name)


def multipl_e(tests: str, prompt: str) -> TestsCheck:
    """``tests`` closes the function that ``prompt`` opens; then comes ``main``."""
    return _check(prompt, tests.removeprefix("}"))


def humaneval_x(test: str, declaration: str) -> TestsCheck:
    """``declaration`` opens the function, below what the tests need: includes, other functions with their bodies."""
    return _check(declaration, re.sub(r"^\s*#.*$", "", test, flags=re.MULTILINE))


def _check(opening: str, tests: str) -> TestsCheck:
    found = next(iter(reversed(list(_SIGNATURE.finditer(opening)))), None)
    if found is None:
        raise SuiteError("the prompt does not open a function", "give the suite's own prompts")
    signature = _Signature(**found.groupdict())
    known = "\n".join(_KNOWN.findall(opening))
    declared = f"{signature.type} {signature.name}({signature.parameters})"
    hook = f"""{known}
extern "C" {signature.type} {ENTRY}({signature.parameters}) {{ return ::{signature.name}({signature.names}); }}
"""
    text, count = counted(tests)
    program = f'{opening[: found.start()]}{BEGIN}{declared} __asm__("{ENTRY}");\n{text}'
    return TestsCheck("", after(hook, program, NONCE), count)


def _split(parameters: str) -> list[str]:
    """At commas outside of brackets, those of templates among them."""
    return arguments(parameters.translate(str.maketrans("<>", "()")))
