"""Python expressions in text: read, put together, and looked at before they are run as tests."""

import ast
import builtins
import warnings

BUILTINS = frozenset(dir(builtins)) - {"open", "input", "breakpoint", "exec", "eval", "__import__", "compile"}
_GIVEN = frozenset({"math", "same"})
"""Names that the test program defines itself."""

_LONGEST = 8 * 1024
_UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)


def parses(program: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(program)
    except _UNPARSABLE:
        return False
    return True


def parsed(source: str) -> ast.expr | None:
    if len(source) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source.strip(), mode="eval").body
    except _UNPARSABLE:
        return None


def literal(source: str) -> ast.expr | None:
    """An expression that is a plain value: ``True``, ``-1``, ``[(1, 'a')]``; also as other languages write them."""
    expression = parsed(_WORDS.get(source.strip().rstrip("."), source))
    try:
        ast.literal_eval(expression) if expression is not None else None
    except _UNPARSABLE:
        return None
    except (TypeError, ArithmeticError):
        return None
    return expression


_WORDS = {"true": "True", "false": "False", "none": "None", "null": "None"}


def equals(left: ast.expr, right: ast.expr) -> str:
    return f"same({ast.unparse(left)}, {ast.unparse(right)})"


def claim(expression: ast.expr) -> str:
    """What is said to be true; one of two sides that are equal is as good as it may be close."""
    match expression:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            return equals(left, right)
    return ast.unparse(expression)


def is_none(expression: ast.expr) -> str:
    return f"({ast.unparse(expression)}) is None"


def calls(test: str) -> list[str]:
    """The names of the functions that it calls, and Python does not have."""
    expression = parsed(test)
    found = ast.walk(expression) if expression else ()
    names = [node.func.id for node in found if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return [name for name in names if name not in BUILTINS | _GIVEN]


def usable(test: str, entry_point: str, known: frozenset[str]) -> bool:
    """Whether it calls the entry point, with values in order, and uses no name that will not be there."""
    expression = parsed(test)
    if expression is None or entry_point not in calls(test):
        return False
    bound = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in ast.walk(expression) if isinstance(node, ast.arg)}
    for node in ast.walk(expression):
        if isinstance(node, ast.Name) and node.id not in BUILTINS | _GIVEN | known | bound:
            return False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known and node.keywords:
            return False
    return True
