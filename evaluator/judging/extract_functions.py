"""Finds a function's program in a model's answer, in languages whose code is known here by the shape of its lines."""

import re
from collections.abc import Sequence

from evaluator.judging import preamble
from evaluator.judging.shapes import Shape
from evaluator.suites import Task

_MAX_LOOKED_AT = 200_000
"""Characters; what is longer is taken as it is."""

_MOST_CLOSED = 4
_STATEMENT = re.compile(
    r"[;{}][ \t]*$|^[ \t]*(?:return\b.*\S|(?:local|my|let|var)[ \t]+\S+[ \t]*=|[\w.\[\]]+[ \t]*=[ \t]*\S|end[ \t]*$)",
    re.MULTILINE,
)

_SENTENCE = re.compile(r"\s*|[A-Z][\w']*(?: [\w'`,()-]+)+[.!:]?")


def program(blocks: Sequence[tuple[str, str]], answer: str, task: Task, shape: Shape) -> str | None:
    """A whole program, or None where there is no code. ``blocks``: the fenced blocks' tags and contents, in order."""
    if len(answer) > _MAX_LOOKED_AT:
        return next((code for _, code in _ranked(blocks, shape)), answer)
    if not task.entry_point:
        return _whole(blocks, answer, shape)
    name = function_name(task, shape)
    code = _from_blocks(blocks, name, shape) if blocks else _from_text(answer, name, shape)
    if code is None:
        return None
    if shape.definition(name).search(code):
        return preamble.completed(_without_main(code, name, shape), task, name, shape)
    return _continued(code, task, shape)


def function_name(task: Task, shape: Shape) -> str:
    """As the prompt writes the entry point: ``has_close_elements`` is ``hasCloseElements`` in Java; else its last."""
    names = shape.names_in(task.prompt)
    alike = [name for name in names if _bare(name) == _bare(task.entry_point)]
    return next(iter([*alike[-1:], *names[-1:]]), task.entry_point)


def _bare(name: str) -> str:
    return name.replace("_", "").lower()


def _ranked(blocks: Sequence[tuple[str, str]], shape: Shape) -> list[tuple[str, str]]:
    """Rightly tagged ones first, then those without a tag."""
    return sorted(blocks, key=lambda block: 0 if block[0] in shape.tags else 1 if not block[0] else 2)


def _whole(blocks: Sequence[tuple[str, str]], answer: str, shape: Shape) -> str | None:
    """The program of a task that asks for a whole one: the first block with a main, else the longest."""
    if not blocks:
        return _without_sentences(answer, shape) if shape.found["begins"].search(answer) else _bare_statements(answer)
    ranked = _ranked(blocks, shape)
    main = shape.found.get("main")
    if main:
        for _, code in ranked:
            if main.search(code):
                return code
    best = [code for tag, code in ranked if (tag in shape.tags) == (ranked[0][0] in shape.tags)]
    return preamble.opened(max(best, key=len), shape)


def _without_sentences(text: str, shape: Shape) -> str:
    """As it is, but for prose around it: a program may begin and end with any statement."""
    code = _without_prose(text, shape, whole=True) if re.match(r"\s*[A-Z]", text) else text
    lines = code.strip("\n").split("\n")
    while lines and _SENTENCE.fullmatch(lines[-1]):
        del lines[-1]
    return "\n".join(lines) + "\n"


def _bare_statements(answer: str) -> str | None:
    return answer if _STATEMENT.search(answer) else None


def _from_blocks(blocks: Sequence[tuple[str, str]], name: str, shape: Shape) -> str:
    """The first that defines the function, with those before it that hold nothing but imports and definitions."""
    ranked = _ranked(blocks, shape)
    definition = shape.definition(name)
    for place, (tag, code) in enumerate(ranked):
        if definition.search(code):
            helpers = [text for kind, text in ranked[:place] if kind == tag and _is_library(text, shape)]
            return "".join([*helpers, code])
    return ranked[0][1]


def _is_library(code: str, shape: Shape) -> bool:
    first = next((line for line in code.split("\n") if line.strip()), "")
    return shape.found["begins"].match(first) is not None and shape.found["any"].search(code) is not None


def _from_text(answer: str, name: str, shape: Shape) -> str | None:
    if shape.definition(name).search(answer):
        return _without_prose(answer, shape)
    first = next((line for line in answer.split("\n") if line.strip()), "")
    return answer if first[:1] in (" ", "\t") or _STATEMENT.search(answer) else None


def _without_prose(text: str, shape: Shape, *, whole: bool = False) -> str:
    """From the first line that begins code to the last that ends it; ``whole``: to the end."""
    lines = text.split("\n")
    start = next((i for i, line in enumerate(lines) if shape.found["begins"].match(line)), 0)
    while start > 0 and re.match(r"\s*(?://|/?\*|#|--|@)", lines[start - 1]):
        start -= 1
    ends = range(len(lines), len(lines) if whole else start, -1)
    last = next((i for i in ends if shape.found["ends"].search(lines[i - 1])), len(lines))
    return "\n".join(lines[start:last]) + "\n"


def _continued(body: str, task: Task, shape: Shape) -> str:
    """The prompt, which ends inside the function, with this as the rest; what closes it may have been left out."""
    text = f"{task.prompt.rstrip()}\n{body.strip(chr(10))}\n"
    if shape.closes == "end":
        last = body.rstrip().rpartition("\n")[2]
        return text if re.match(r"end\b", last) else f"{text}end\n"
    braces = [lexeme[0] for lexeme in shape.found["lexemes"].finditer(text) if lexeme[0] in "{}"]
    missing = braces.count("{") - braces.count("}")
    return text + "}\n" * missing if 0 < missing <= _MOST_CLOSED else text


def _without_main(code: str, name: str, shape: Shape) -> str:
    """Without the answer's own entry points: some languages allow but one, and the tests have it."""
    main = shape.found.get("main")
    while main and name != "main" and (found := main.search(code)):
        end = _closing(code, found.end(), shape)
        rest = code[: found.start()] + code[end:]
        if end == found.end() or not shape.definition(name).search(rest):
            return code
        code = rest
    return code


def _closing(code: str, start: int, shape: Shape) -> int:
    """Where the block that opens after ``start`` has closed; ``start`` where it never does."""
    depth = 0
    for lexeme in shape.found["lexemes"].finditer(code, start):
        if lexeme[0] == "{":
            depth += 1
        elif lexeme[0] == "}":
            depth -= 1
            if depth == 0:
                return lexeme.end()
            if depth < 0:
                return start
    return start
