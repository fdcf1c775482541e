"""TypeScript under node: its types are checked first, and a wrong one is a compile error."""

from collections.abc import Sequence
from pathlib import Path

from evaluator.languages import javascript
from evaluator.languages.language import Recipe
from evaluator.languages.toolchain import missing_program
from evaluator.sandbox import Program

_COMPILER = Path(__file__).with_name("typescript_compiler.js").read_text()


class TypeScript:
    name = "typescript"
    tags = frozenset({"typescript", "ts", "mts", "cts"})
    start_seconds = 20.0

    def missing(self) -> str | None:
        return missing_program("node", "nodejs") or missing_program("tsc", "node-typescript")

    def recipe(self, source: str) -> Recipe:
        return Recipe(
            {"main.ts": source.encode(errors="replace"), "compiler.js": _COMPILER.encode()},
            ("node", "main.js"),
            compile=("node", "compiler.js"),
            keep=("main.js",),
        )

    def pack(self, inputs: Sequence[tuple[object, ...]], slow: Sequence[bool]) -> bytes:
        return javascript.pack(inputs, slow)

    def calls(self, source: str, entry_point: str, parts: Sequence[bytes], *, timed: bool = False) -> Program:
        return javascript.calls(source, entry_point, parts, timed=timed, compiler=_COMPILER)
