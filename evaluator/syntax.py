"""``verify: syntax``: whether an answer's code can be parsed, by tree-sitter, which an extra installs.

What it costs: 36 MB on disk; in a worker 8 ms and 5 MB when it is loaded, then at most 5 ms and 2.5 MB a language, when
it is first met; about a millisecond for a hundred lines.
"""

import asyncio
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from evaluator.judging.extract import extract
from evaluator.judging.shapes import SHAPES
from evaluator.languages import LANGUAGES
from evaluator.suites import Task, TestsCheck
from policies.verify import Found, Question, Said, Verification

LONGEST = 16 * 1024
"""Characters: text that is made for it takes seconds, and four times as long where it is twice as long."""

WAIT_SECONDS = 2.0
"""For a parser, which may be busy with such a text. It holds up no request but those that wait for it."""

_GRAMMARS = {
    "csharp": ("c_sharp", "language"),
    "php": ("php", "language_php"),
    "typescript": ("typescript", "language_typescript"),
}
"""Module and function, where they are not called after the language. COBOL's grammar is not to be had as a package."""

_PYTHON_BEGINS = re.compile(r"(?:from|import|def|class|async def)\s|@\w")
_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*([^\s`{]+)", re.MULTILINE)
_TAGS = {tag: language.name for language in LANGUAGES.values() for tag in language.tags}


class SyntaxVerifier:
    """Parses beside the event loop, one answer at a time: more would not be faster."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "syntax")

    async def check(self, question: Question, rule: Verification) -> "SyntaxCheck":
        return SyntaxCheck(question, self._thread)


@dataclass(frozen=True, slots=True)
class SyntaxCheck:
    question: Question
    thread: ThreadPoolExecutor

    async def look(self, said: Said) -> Found:
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self.thread, self.found, said.text)
        except TimeoutError:
            return Found("unavailable")

    def found(self, answer: str) -> Found:
        if len(answer) > LONGEST:
            return Found("skipped")
        language = self._language(answer)
        grammar = _grammar(language) if language is not None else None
        program = self._program(answer, language) if language is not None and grammar is not None else None
        if program is None or grammar is None or len(program) > LONGEST:
            return Found("skipped")
        return Found("failed" if grammar.is_broken(program) else "passed")

    def _language(self, answer: str) -> str | None:
        """What the answer calls its first code whose language is known; else the request's."""
        tags = (_TAGS.get(tag.lower()) for tag in _FENCE.findall(answer))
        return next((name for name in tags if name is not None), self.question.language)

    def _program(self, answer: str, language: str) -> str | None:
        """None where there is no code, or what could as well be prose."""
        if self.question.continues:
            return self.question.text + answer
        if _FENCE.search(answer) is None and not _begins_as_code(answer, language):
            return None
        return extract(answer, Task("", language, "", "", "", TestsCheck("", "", 0)))


def _begins_as_code(answer: str, language: str) -> bool:
    line = answer.lstrip("\n").partition("\n")[0]
    begins = SHAPES[language].found["begins"] if language in SHAPES else _PYTHON_BEGINS
    return begins.match(line) is not None


class Grammar:
    """One language's. Raises ``ModuleNotFoundError`` where it is not installed: see the extra ``syntax``."""

    def __init__(self, language: str) -> None:
        module, function = _GRAMMARS.get(language, (language, "language"))
        parsing, grammar = import_module("tree_sitter"), import_module(f"tree_sitter_{module}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # some grammars are of the last generation
            self._parser = parsing.Parser(parsing.Language(getattr(grammar, function)()))

    def is_broken(self, program: str) -> bool:
        return bool(self._parser.parse(program.encode(errors="replace")).root_node.has_error)


@cache
def _grammar(language: str) -> Grammar | None:
    try:
        return Grammar(language)
    except ModuleNotFoundError:
        return None
