"""Examples in prose: ``f(1) => 2``, ``f(1) returns 2``, ``For x = 1 the output should be 2``, ``Input: 1 / Output: 2``.

Patterns hold on to what they took (``*+``) where blanks follow blanks: a hostile text costs no more than its length.
"""

import ast
import re
from collections.abc import Iterator, Sequence

from evaluator.examples.expressions import equals, literal, parsed

_MOST_CALLS = 200
_LONGEST_CALL = 2000
"""Characters."""

_LEADS_TO = re.compile(
    r"[ \t]*+(?:#|//)?[ \t]*+(?:={1,3}>|-{1,2}>|={1,3}|➞|→|⇒|(?:should|must|will)[ \t]+(?:return|give|be)|returns?"
    r"|gives?|evaluates[ \t]+to|is[ \t]+equal[ \t]+to)[ \t]*+:?[ \t]*+",
    re.IGNORECASE,
)
_INPUT = re.compile(
    r"^[ \t*]*+(?:example[ \t]*+\d*+[ \t]*+:?[ \t]*+)?inputs?[ \t]*+:(?P<input>(?:[^\n]*+\n){1,8}?)"
    r"[ \t*]*+(?:expected[ \t]++)?outputs?[ \t]*+:[ \t]*+(?P<output>[^\n]+)",
    re.MULTILINE | re.IGNORECASE,
)
_FOR = re.compile(
    r"\b(?:for|if|given|when)[ \t]++(?P<input>[A-Za-z_]\w{0,60}+[ \t]*+=[^\n]{1,300}?)(?:\bthen[ \t]++)?\bthe[ \t]++"
    r"(?:expected[ \t]++)?(?:output|result|answer|return value)[ \t]++(?:should be|must be|will be|would be|is)"
    r"[ \t]*+:?[ \t]*+(?P<output>[^\n]+)",
    re.IGNORECASE,
)
_NAMED = re.compile(r"(?P<begins>^[ \t]*+)?(?P<name>[A-Za-z_]\w*+)[ \t]*+[=:](?!=)[ \t]*+", re.MULTILINE)


def examples(text: str, defined: Sequence[str], code: str) -> Iterator[str]:
    """Of the functions in ``defined``; what is written without a call is about the last of them."""
    if not defined:
        return
    called = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, defined))})\(")
    for number, found in enumerate(called.finditer(text)):
        if number == _MOST_CALLS:
            break
        yield from _after_call(text, found.start(), found.end())
    parameters = parameters_of(code, defined[-1])
    for pattern in (_INPUT, _FOR):
        for match in pattern.finditer(text):
            yield from _without_call(match["input"], match["output"], defined[-1], parameters)


def _after_call(text: str, start: int, opened: int) -> Iterator[str]:
    if _is_operand(text, start) or (end := _closing(text, opened)) is None:
        return
    call = parsed(text[start:end])
    leads = _LEADS_TO.match(text, end)
    if call is None or leads is None:
        return
    if (value := _value(text[leads.end() :])) is not None:
        yield equals(call, value)


def _is_operand(text: str, start: int) -> bool:
    """Whether something is reckoned with what begins there: ``1 + f(2)``. A line may begin with a list's ``-``."""
    line = text[max(0, start - _LONGEST_CALL) : start].rpartition("\n")[2].rstrip(" \t")
    return line[-1:] in tuple("+-*/%") and bool(line[:-1].strip())


def _closing(text: str, opened: int) -> int | None:
    """Where the bracket that opens before ``opened`` has closed, strings apart."""
    depth, quote = 1, ""
    for at in range(opened, min(len(text), opened + _LONGEST_CALL)):
        character = text[at]
        if quote:
            quote = "" if character == quote and text[at - 1] != "\\" else quote
        elif character in "'\"":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return at + 1
    return None


def _value(rest: str) -> ast.expr | None:
    """The literal that the line says, all of it, or else its beginning where what follows is no part of a value.

    ``19 - 5 - 6 = 8`` says 8: of several equations the last has the result.
    """
    line = rest[:_LONGEST_CALL].partition("\n")[0].strip()
    line = line.rpartition(" = ")[2].strip() if " = " in line else line
    if (value := literal(line.rstrip(" .,;"))) is not None or (value := literal(line)) is not None:
        return value
    begins = _beginning(line)
    value = literal(begins) if begins else None
    rest = line[len(begins) :].lstrip() if begins else ""
    return value if value is not None and not rest.startswith(("-", "+", "*", "/", "%", "=", ".", ",")) else None


_ATOM = re.compile(r"(?:-?\d[\w.]*|True|False|None|true|false|null|none|'[^'\n]*'|\"[^\"\n]*\")(?=[\s,;.)(#]|$)")


def _beginning(line: str) -> str | None:
    if line[:1] in ("[", "(", "{") and (end := _closing(line, 1)) is not None:
        return line[:end]
    atom = _ATOM.match(line)
    return atom[0].rstrip(".") if atom else None


def _without_call(given: str, output: str, name: str, parameters: Sequence[str]) -> Iterator[str]:
    arguments = _arguments(given.strip(" \t\n.,;"), parameters)
    value = _value(output)
    if arguments is not None and value is not None:
        call = parsed(f"{name}({', '.join(map(ast.unparse, arguments))})")
        if call is not None:
            yield equals(call, value)


def _arguments(given: str, parameters: Sequence[str]) -> list[ast.expr] | None:
    """``a = 1, b = [2]`` in the parameters' order or a line each, or values alone; None unless one for each."""
    if not parameters:
        return None
    names = [match for match in _NAMED.finditer(given) if match["begins"] is not None or match["name"] in parameters]
    if names and names[0].start() == 0:
        in_order = [match["name"] for match in names] == list(parameters)
        each_a_line = all(match["begins"] is not None for match in names)
        ends = [match.start() for match in names[1:]] + [len(given)]
        texts = [given[match.end() : end] for match, end in zip(names, ends, strict=True)]
        values = [_argument(text.strip()) for text in texts] if in_order or each_a_line else []
    elif len(parameters) == 1 and not names:
        values = [literal(given)]
    else:
        together = literal(f"({given},)")
        values = list(together.elts) if isinstance(together, ast.Tuple) else []
    found = [value for value in values if value is not None]
    return found if len(found) == len(parameters) else None


def _argument(text: str) -> ast.expr | None:
    """All that is said, or its beginning where words follow a comma."""
    begins = _beginning(text) or ""
    return literal(text.rstrip(",; ").removesuffix(" and")) or (
        literal(begins) if text[len(begins) :].startswith(",") else None
    )


def parameters_of(code: str, name: str) -> list[str]:
    """Those that a call must give, by what stands between the definition's brackets; none where it cannot be read."""
    definition = re.search(rf"def[ \t]+{re.escape(name)}[ \t]*\(", code)
    end = _closing(code, definition.end()) if definition else None
    if definition is None or end is None:
        return []
    try:
        function = ast.parse(f"def f({code[definition.end() : end]}: pass").body[0]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    if not isinstance(function, ast.FunctionDef) or function.args.vararg or function.args.kwonlyargs:
        return []
    return [argument.arg for argument in function.args.args if argument.arg != "self"]
