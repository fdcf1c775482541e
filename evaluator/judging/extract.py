"""Finds the program in a model's answer. The text is hostile only in size and shape: it is parsed here, never run."""

import ast
import re
import textwrap
import warnings
from dataclasses import dataclass

from evaluator.judging import extract_cobol, extract_fortran, extract_functions, extract_javascript
from evaluator.judging.shapes import SHAPES
from evaluator.languages import LANGUAGES
from evaluator.suites import Task

_PROGRAMS = {
    "cobol": extract_cobol.program,
    "fortran": extract_fortran.program,
    "javascript": extract_javascript.program,
}
_TAGS = {"python": frozenset({"python", "py", "python3"})}
_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<mark>`{3,}|~{3,})[ \t]*(?P<tag>[^\s`{]*)[^`]*")
_CODE = re.compile(
    r"""from\s+\S+\s+import\b | import\s+\w | (?:async\s+)?def\s+\w | class\s+\w | @\w | \# | \"\"\" | '''
    | [A-Za-z_]\w*\s*(?::[^=]*)?=[^=] | (?:if|try|for|while|with)\b.*:\s*$""",
    re.VERBOSE,
)
_MAX_PARSED = 200_000
"""Characters; what is longer is taken as it is."""

_MAX_CUTS = 20
_UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True)
class _Block:
    tag: str
    code: str


def extract(answer: str, task: Task) -> str | None:
    """A whole program, or None where the answer holds no code.

    Fenced: the block that defines the entry point, one with the right tag first. Bare: the answer itself, unchanged
    where it begins as code, else without the prose around it. A body alone completes the prompt.
    """
    blocks = _blocks(answer)
    if program := _PROGRAMS.get(task.language):
        return program([(block.tag, block.code) for block in blocks], answer, task)
    if shape := SHAPES.get(task.language):
        return extract_functions.program([(block.tag, block.code) for block in blocks], answer, task, shape)
    if task.language != "python":
        return _by_tag(blocks, answer, task)
    if not blocks or (_begins_as_code(answer) and _defines(answer, task) and _parse(answer)):
        return _from_text(answer, task)
    return _from_blocks(blocks, task)


def _by_tag(blocks: list[_Block], answer: str, task: Task) -> str | None:
    """For a language that nothing here knows: the first block with its tag, without one, with any; else all."""
    language = LANGUAGES.get(task.language)
    tags = language.tags if language else {task.language}
    ranked = sorted(blocks, key=lambda block: 0 if block.tag in tags else 1 if not block.tag else 2)
    code = ranked[0].code if ranked else answer
    return code if code.strip() else None


def _blocks(answer: str) -> list[_Block]:
    """The fenced blocks in order; a fence that is never closed holds the rest."""
    blocks: list[_Block] = []
    opening: re.Match[str] | None = None
    lines: list[str] = []
    for line in answer.split("\n"):
        fence = _FENCE.fullmatch(line.rstrip())
        if opening is None:
            opening, lines = fence, []
        elif fence and fence["mark"].startswith(opening["mark"]) and not fence["tag"]:
            blocks.append(_block(opening, lines))
            opening = None
        elif _closes(line, opening["mark"]):
            blocks.append(_block(opening, [*lines, line.rstrip().removesuffix(opening["mark"])]))
            opening = None
        else:
            lines.append(line)
    if opening is not None:
        blocks.append(_block(opening, lines))
    return [block for block in blocks if block.code.strip()]


def _closes(line: str, mark: str) -> bool:
    """Whether a fence ends this line of code."""
    return line.rstrip().endswith(mark) and line.count(mark[0]) == len(mark)


def _block(opening: re.Match[str], lines: list[str]) -> _Block:
    indent = opening["indent"]
    return _Block(opening["tag"].lower(), "\n".join(line.removeprefix(indent) for line in lines) + "\n")


def _from_blocks(blocks: list[_Block], task: Task) -> str:
    right = _TAGS[task.language]
    groups = (
        [block.code for block in blocks if block.tag in right],
        [block.code for block in blocks if not block.tag],
        [block.code for block in blocks if block.tag and block.tag not in right],
    )
    for group in groups:
        for i, code in enumerate(group):
            if _defines(code, task):
                return _with_preamble("".join([*filter(_is_library, group[:i]), code]), task)
    first = next(group[0] for group in groups if group)
    return _completed(first, task) or first


def _is_library(code: str) -> bool:
    """Whether a block that comes before the answer's main one holds imports and definitions only."""
    tree = _parse(code)
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    return tree is not None and all(isinstance(statement, kinds) for statement in tree.body)


def _with_preamble(code: str, task: Task) -> str:
    """With what the prompt defines above the entry point (imports, helpers), where the program needs it."""
    preamble = task.prompt[: _entry(task.prompt, task)]
    given, tree = _parse(preamble), _parse(code)
    if given is None or tree is None:
        return code
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    missing = (names & _defined(given)) - _defined(tree)
    return f"{preamble.rstrip()}\n\n\n{code}" if missing else code


def _defined(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def _from_text(text: str, task: Task) -> str | None:
    if not text.strip():
        return None
    if _defines(text, task):
        program = text if _begins_as_code(text) or _parse(text) else _without_prose(text)
        return program if program.strip() else None
    return _completed(text, task)


def _without_prose(text: str) -> str:
    """From the first line of code to before the first that does not parse."""
    lines = text.split("\n")
    code = lines[next((i for i, line in enumerate(lines) if _CODE.match(line)), 0) :]
    for _ in range(_MAX_CUTS):
        try:
            _parsed(program := "\n".join(code) + "\n")
        except SyntaxError as error:
            code = code[: min(len(code), error.lineno or 1) - 1]
        except _UNPARSABLE:
            return text
        else:
            return program
    return text


def _completed(body: str, task: Task) -> str | None:
    """The prompt with this as the entry point's body; None where it is no body."""
    lines = body.strip("\n").split("\n")
    prompt = task.prompt if task.prompt.endswith("\n") else task.prompt + "\n"
    if lines[0][:1] in (" ", "\t"):
        return prompt + body.lstrip("\n")
    program = prompt + textwrap.indent(body, "    ")
    return program if _parse(program) and _holds_statement(body) else None


def _holds_statement(body: str) -> bool:
    """Whether an unindented body is more than words that happen to parse."""
    tree = _parse("def body():\n" + textwrap.indent(body, "    "))
    function = tree.body[0] if tree else None
    return isinstance(function, ast.FunctionDef) and any(not isinstance(node, ast.Expr) for node in function.body)


def _defines(code: str, task: Task) -> bool:
    return _entry(code, task) is not None


def _entry(code: str, task: Task) -> int | None:
    """Where the entry point begins; a program without one begins at its beginning."""
    if not task.entry_point:
        return 0
    name = re.escape(task.entry_point)
    defined = rf"^(?:(?:async\s+)?def\s+{name}\s*\(|class\s+{name}\b|{name}\s*(?::[^=\n]*)?=[^=])"
    found = re.search(defined, code, re.MULTILINE)
    return found.start() if found else None


def _begins_as_code(text: str) -> bool:
    return bool(_CODE.match(text.lstrip("\n").split("\n", 1)[0]))


def _parse(code: str) -> ast.Module | None:
    try:
        return _parsed(code)
    except _UNPARSABLE:
        return None


def _parsed(code: str) -> ast.Module:
    if len(code) > _MAX_PARSED:
        raise ValueError("too long to be looked at")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)
