"""Finds its way in test expressions of languages with C's brackets and strings."""

import re

_SKIPPED = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TOKEN = re.compile(_SKIPPED.pattern + r"|[()\[\]{},]", re.DOTALL)
_EQUALS = re.compile(r"\.[eE]quals\(")


def closing(text: str, opening: int) -> int:
    """Where the bracket at ``opening`` is closed. Raises ValueError where it is not."""
    depth = 0
    for token in _TOKEN.finditer(text, opening):
        if token[0] in "([{":
            depth += 1
        elif token[0] in ")]}":
            depth -= 1
            if depth == 0:
                return token.start()
    raise ValueError(f"no end to the bracket in {text[opening : opening + 60]!r}")


def arguments(text: str) -> list[str]:
    """``text`` cut at the commas that are in no bracket."""
    parts, depth, start = [], 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] == "," and depth == 0:
            parts.append(text[start : token.start()].strip())
            start = token.end()
        elif len(token[0]) == 1:
            depth += (token[0] in "([{") - (token[0] in ")]}")
    return [*parts, text[start:].strip()]


def equality(expression: str) -> tuple[str, str] | None:
    """``a.equals(b)`` or ``Objects.equals(a, b)`` as a and b; None where the whole expression is neither."""
    for found in _EQUALS.finditer(expression):
        opening = found.end() - 1
        if closing(expression, opening) == len(expression) - 1 and _is_whole(expression[: found.start()]):
            inside = arguments(expression[opening + 1 : -1])
            if expression[: found.start()] == "Objects" and len(inside) == 2:
                return inside[0], inside[1]
            return expression[: found.start()], expression[opening + 1 : -1]
    return None


def type_names(text: str) -> set[str]:
    """The words in ``text`` that begin with a capital, outside of strings and comments."""
    return set(re.findall(r"(?<!\.)\b[A-Z]\w*", _SKIPPED.sub('""', text)))


def _is_whole(receiver: str) -> bool:
    """Whether it is a name or a call, which ``!x`` or ``x && y`` is not."""
    name = re.match(r"[\w.]*", receiver)
    rest = receiver[name.end() :] if name else receiver
    return rest == "" or (rest[0] == "(" and closing(rest, 0) == len(rest) - 1)
