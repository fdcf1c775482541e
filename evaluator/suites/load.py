"""Reads a suite by name or path; the format is found by content."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from evaluator.suites import coboleval, decompile_c, evalplus, fortran_humaneval, humaneval_x, multipl_e, weighbridge
from evaluator.suites.suite import Format, Row, Suite, SuiteError, Task

FORMATS: tuple[Format, ...] = (evalplus, multipl_e, coboleval, fortran_humaneval, humaneval_x, decompile_c, weighbridge)

BUILTIN = Path(__file__).parent / "builtin"
"""One file a language; together they are the suite ``builtin``."""


def load_suite(name_or_path: str) -> Suite:
    """``builtin``, ``builtin:LANGUAGE,...``, or a path to .jsonl, .jsonl.gz or .json (a list). Raises SuiteError."""
    name, _, languages = name_or_path.partition(":")
    if name == "builtin":
        return _suite("builtin", _builtin(languages))
    path = Path(name_or_path).expanduser()
    if not path.exists():
        raise SuiteError(
            "there is no such suite",
            "give 'builtin' or the path of a .jsonl, .jsonl.gz or .json file",
            path=name_or_path,
        )
    return _suite(None, [path])


def _builtin(languages: str) -> list[Path]:
    """The files of these languages, with commas between; all, if none is named."""
    there = {path.stem: path for path in sorted(BUILTIN.glob("*.jsonl"))}
    wanted = languages.split(",") if languages else there
    for language in wanted:
        if language not in there:
            near = get_close_matches(language, there, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(there)}"
            raise SuiteError(f"the built-in suite has no {language!r}", fix)
    return [path for language, path in there.items() if language in wanted]


def _suite(name: str | None, paths: list[Path]) -> Suite:
    digest = hashlib.sha256()
    tasks: dict[str, Task] = {}
    format_: Format | None = None
    for path in paths:
        text = read_text(path)
        digest.update("\n".join(line for line in map(str.strip, text.split("\n")) if line).encode())
        for line, row in _rows(path, text):
            if format_ is None:
                format_ = _detect(path, line, row)
                name = name or format_.suite_name(row, _stem(path))
            try:
                task = format_.task(row)
            except SuiteError as error:
                raise error.at(path, line) from error
            if task.task_id in tasks:
                raise SuiteError(
                    f"task {task.task_id!r} is there twice", "give each task its own id", path=path, line=line
                )
            tasks[task.task_id] = task
    if format_ is None or name is None:
        raise SuiteError("the suite holds no task", "add one JSON object a line", path=paths[0] if paths else BUILTIN)
    return format_.as_released(Suite(name, format_.NAME, digest.hexdigest(), tuple(tasks.values())))


def read_text(path: Path) -> str:
    """The file's text, unpacked where it is gzip. Raises SuiteError."""
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise SuiteError(f"cannot be read: {error}", "give UTF-8 text, plain or gzip", path=path) from error


def _rows(path: Path, text: str) -> Iterator[tuple[int | None, Row]]:
    """Each task with its line number. A file that begins with ``[`` is one JSON list."""
    if text.lstrip().startswith("["):
        rows = _parse(path, None, text)
        for row in rows if isinstance(rows, list) else []:
            yield None, _object(path, None, row)
        return
    for line, source in enumerate(text.split("\n"), 1):
        if source.strip():
            yield line, _object(path, line, _parse(path, line, source))


def _parse(path: Path, line: int | None, source: str) -> object:
    try:
        return json.loads(source)
    except (json.JSONDecodeError, RecursionError) as error:
        at = line if line is not None else getattr(error, "lineno", None)
        raise SuiteError(f"no JSON: {error}", "write one JSON object a line", path=path, line=at) from error


def _object(path: Path, line: int | None, row: object) -> Row:
    if not isinstance(row, dict):
        raise SuiteError("a task is a JSON object", 'write {"task_id": ..., ...}', path=path, line=line)
    return row


def _detect(path: Path, line: int | None, row: Row) -> Format:
    for format_ in FORMATS:
        if format_.claims(row):
            return format_
    known = ", ".join(format_.NAME for format_ in FORMATS)
    keys = ", ".join(list(row)[:8]) or "none"
    raise SuiteError(f"no known suite format has the keys {keys}", f"known formats: {known}", path=path, line=line)


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")
