"""Finds a COBOL program in a model's answer, and puts its sections in the order that a compiler wants."""

import re
import textwrap
from collections.abc import Sequence

from evaluator.languages.cobol import Cobol, is_free_form
from evaluator.suites import Task

_WHOLE = re.compile(r"^\s*(?:IDENTIFICATION|ID)\s+DIVISION\b", re.IGNORECASE | re.MULTILINE)
_RUNS = re.compile(r"\bPROCEDURE\s+DIVISION\b", re.IGNORECASE)
_BEGINS = re.compile(
    r"\s*(?:(?:IDENTIFICATION|ID|DATA|PROCEDURE)\s+DIVISION\b|(?:WORKING-STORAGE|LOCAL-STORAGE|LINKAGE)\s+SECTION\b"
    r"|(?:01|77)\s+[A-Z]|>>\s*SOURCE|\*>|\s{6}\*)",
    re.IGNORECASE,
)
_SECTION = re.compile(r"\s*(WORKING-STORAGE|LINKAGE|PROCEDURE)\s+(?:SECTION|DIVISION)\b", re.IGNORECASE)
_STORAGE_AGAIN = re.compile(r"\A\s*(?:DATA\s+DIVISION\.\s*)?WORKING-STORAGE\s+SECTION\.[ \t]*\n", re.IGNORECASE)
_PROCEDURE = re.compile(r"PROCEDURE\s+DIVISION(?:\s+USING\s[^.]*)?\s*\.", re.IGNORECASE)
_FIRST_COLUMN = 7


def program(blocks: Sequence[tuple[str, str]], answer: str, task: Task) -> str | None:
    """A whole program, or None where there is no code. ``blocks``: the fenced blocks' tags and contents, in order."""
    code = _from_blocks(blocks) if blocks else _from_text(answer)
    if code is None:
        return None
    called = "LINKED-ITEMS" in task.prompt.upper()
    if not _WHOLE.search(code):
        code = f"{task.prompt.rstrip()}\n{_STORAGE_AGAIN.sub('', code) if called else code}"
    elif called and is_free_form(code):
        code = textwrap.indent(textwrap.dedent(code), " " * _FIRST_COLUMN)
    return _callable(code) if called else code


def _from_blocks(blocks: Sequence[tuple[str, str]]) -> str | None:
    """The first that runs by itself, rightly tagged ones first; else the pieces together."""
    groups = (
        [code for tag, code in blocks if tag in Cobol.tags],
        [code for tag, code in blocks if not tag],
        [code for tag, code in blocks if tag and tag not in Cobol.tags],
    )
    for whole in (_WHOLE, _RUNS):
        for group in groups:
            for code in group:
                if whole.search(code) and _RUNS.search(code):
                    return code
    return next(("".join(group) for group in groups if group and _RUNS.search("".join(group))), blocks[0][1])


def _from_text(answer: str) -> str | None:
    """From the first line that is COBOL to the last that ends a sentence."""
    if not _RUNS.search(answer):
        return None
    lines = answer.split("\n")
    start = next((i for i, line in enumerate(lines) if _BEGINS.match(line)), 0)
    last = next((i for i in range(len(lines), start, -1) if _ends_code(lines[i - 1])), len(lines))
    return "\n".join(lines[start:last]) + "\n"


def _ends_code(line: str) -> bool:
    return bool(re.match(r"\s+\S.*\.\s*$|\s*(?:END\s+PROGRAM\b.*|GOBACK|STOP\s+RUN)\.\s*$", line, re.IGNORECASE))


def _callable(code: str) -> str:
    """Storage before linkage, and the procedure division with its parameter."""
    parts: dict[str, list[str]] = {"": [], "WORKING-STORAGE": [], "LINKAGE": [], "PROCEDURE": []}
    current = ""
    for line in code.split("\n"):
        if current != "PROCEDURE" and (section := _SECTION.match(line)):
            current = section[1].upper()
        parts[current].append(line)
    sorted_code = "\n".join(line for lines in parts.values() for line in lines)
    return _PROCEDURE.sub("PROCEDURE DIVISION USING LINKED-ITEMS.", sorted_code, count=1)
