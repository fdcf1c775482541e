"""Finds a JavaScript program in a model's answer: by fences and the shape of lines, as nothing here parses it."""

import re
from collections.abc import Sequence

from evaluator.suites import Task

TAGS = frozenset({"javascript", "js", "node", "nodejs", "mjs", "cjs"})
_BEGIN = re.compile(
    r"//|/\*|[\"']use strict|(?:export\s+)?(?:default\s+)?(?:async\s+)?function\b|(?:const|let|var|class|import)\s"
)
_STATEMENT = re.compile(r"^\s*(?:return|const|let|var|if|for|while|switch|throw)\b|[;{}]\s*$", re.MULTILINE)


def program(blocks: Sequence[tuple[str, str]], answer: str, task: Task) -> str | None:
    """A whole program, or None where there is no code. ``blocks``: the fenced blocks' tags and contents, in order."""
    ranked = sorted(blocks, key=lambda block: 0 if block[0] in TAGS else 1 if not block[0] else 2)
    for _, code in ranked:
        if _defines(code, task):
            return code
    if ranked:
        return _completed(ranked[0][1], task) if task.entry_point else ranked[0][1]
    if _defines(answer, task):
        return _without_prose(answer)
    return _completed(answer, task) if _STATEMENT.search(answer) else None


def _defines(code: str, task: Task) -> bool:
    if not task.entry_point:
        return _STATEMENT.search(code) is not None
    name = re.escape(task.entry_point)
    function = rf"(?:async\s+)?function\s*\*?\s*{name}\s*\("
    variable = rf"(?:(?:const|let|var)\s+)?{name}\s*=[^=]"
    return re.search(rf"^(?:{function}|{variable}|class\s+{name}\b)", code, re.MULTILINE) is not None


def _without_prose(text: str) -> str:
    """From the first line that begins code to the last that ends it."""
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if _BEGIN.match(line)), 0)
    end = next((i for i in range(len(lines), start, -1) if re.search(r"[;})]\s*$", lines[i - 1])), len(lines))
    return "\n".join(lines[start:end]) + "\n"


def _completed(body: str, task: Task) -> str:
    """The prompt, which ends inside the function, with this as the rest; the closing brace may be left out."""
    program = task.prompt + body.lstrip("\n")
    return program if program.count("{") <= program.count("}") else program.rstrip() + "\n}\n"
