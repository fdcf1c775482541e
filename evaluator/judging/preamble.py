"""What a program needs above its function and the answer has left out: the prompt's imports, helpers and class."""

import re

from evaluator.judging.shapes import Shape
from evaluator.suites import Task

_CLASS = re.compile(
    r"^[ \t]*(?:(?:public|internal|static|final|sealed|abstract)\s+)*class\s+(\w+)[^{\n]*\{?", re.MULTILINE
)
_GO_IMPORT = re.compile(r"^import[ \t]*(?:\((?P<several>[^)]*)\)|(?P<one>[^\n(]+))[ \t]*\n?", re.MULTILINE)
_GO_PACKAGE = re.compile(r"^package[ \t]+\w+[^\n]*\n?", re.MULTILINE)
_GO_PATH = re.compile(r'(?:(?P<alias>[\w.]+)[ \t]+)?"(?P<path>[^"\n]+)"')
_NAMESPACE = re.compile(r"^[ \t]*namespace\s+[\w.]+\s*;[^\n]*\n?", re.MULTILINE)


def completed(code: str, task: Task, name: str, shape: Shape) -> str:
    """``code``, which defines the function ``name``, as a whole program."""
    defined = shape.definition(name).search(task.prompt)
    above = task.prompt[: defined.start()] if defined else ""
    if shape.language == "go":
        return _go(code, above)
    if shape.language in ("java", "csharp"):
        return _in_class(code, above, name, shape)
    if _lacks_helper(code, above, shape):
        return f"{above.rstrip()}\n\n{code}"
    return opened(_imported(code, above, shape), shape)


def opened(code: str, shape: Shape) -> str:
    """PHP begins with a tag, which an answer may leave out, or say something above."""
    if shape.language != "php":
        return code
    _, tag, rest = code.partition("<?php")
    return tag + rest if tag else f"<?php\n{code}"


def _lacks_helper(code: str, above: str, shape: Shape) -> bool:
    """Whether the program uses a function that the prompt defines above its own, and does not define it."""
    given = set(shape.names_in(above)) - set(shape.names_in(code))
    return any(re.search(rf"\b{re.escape(name)}\b", code) for name in given)


def _imported(code: str, above: str, shape: Shape) -> str:
    """With the prompt's imports that it lacks."""
    imports = shape.found.get("imports")
    if imports is None:
        return code
    own = {_squeezed(line) for line in imports.findall(code)}
    lacking = [line for line in imports.findall(above) if _squeezed(line) not in own]
    if shape.language == "rust":
        lacking = [line for line in lacking if not _names(line) & {name for text in own for name in _names(text)}]
    return "".join(f"{line.strip()}\n" for line in lacking) + code


def _squeezed(line: str) -> str:
    return "".join(line.partition("//")[0].split())


def _names(use: str) -> set[str]:
    """What a `use` of Rust's brings in, roughly."""
    return set(re.findall(r"\b[A-Za-z_]\w*\b(?=\s*[,;}])", use))


def _in_class(code: str, above: str, name: str, shape: Shape) -> str:
    """In the class that the prompt opens, by its name."""
    wanted = next(iter(_CLASS.findall(above)), None)
    code = _NAMESPACE.sub("", code)
    if wanted and wanted not in _CLASS.findall(code):
        defined = shape.definition(name).search(code)
        around = list(_CLASS.finditer(code, 0, defined.start() if defined else 0))
        if around:
            code = re.sub(rf"\b{re.escape(around[-1][1])}\b", wanted, code)
        else:
            imports = shape.found["imports"]
            own = "".join(f"{line.strip()}\n" for line in imports.findall(code))
            opening = next(found[0] for found in _CLASS.finditer(above))
            code = f"{own}{opening}\n{imports.sub('', code).strip(chr(10))}\n}}\n"
    return _imported(code, above, shape)


def _go(code: str, above: str) -> str:
    """One package clause, then the prompt's imports and those of its own that it uses, then the rest."""
    given = _go_imports(above)
    rest = _GO_IMPORT.sub("", _GO_PACKAGE.sub("", code)).strip("\n") + "\n"
    extra = [line for line in _go_imports(code) if line not in given and _go_uses(rest, line)]
    package = _GO_PACKAGE.search(above) or _GO_PACKAGE.search(code)
    head = package[0].rstrip("\n") + "\n\n" if package else ""
    imports = "".join(f"import {line}\n" for line in [*given, *extra])
    return f"{head}{imports}\n{rest}"


def _go_imports(code: str) -> list[str]:
    lines: dict[str, None] = {}
    for found in _GO_IMPORT.finditer(code):
        for path in _GO_PATH.finditer(found["several"] or found["one"] or ""):
            lines[path[0]] = None
    return list(lines)


def _go_uses(rest: str, line: str) -> bool:
    """Go refuses an import that is not used, as one may be once the answer's own main has gone."""
    path = _GO_PATH.fullmatch(line)
    if path is None or path["alias"] in ("_", "."):
        return True
    used = path["alias"] or re.sub(r"/v\d+\Z", "", path["path"]).rpartition("/")[2]
    return re.search(rf"\b{re.escape(used)}\.", rest) is not None
