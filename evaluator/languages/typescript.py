"""TypeScript under node: its types are checked first, and a wrong one is a compile error."""

from collections.abc import Sequence
from pathlib import Path

from evaluator.languages import javascript
from evaluator.languages.language import Recipe
from evaluator.languages.preparation import preparation
from evaluator.languages.toolchain import missing_program
from evaluator.sandbox import Program

_COMPILER = Path(__file__).with_name("typescript_compiler.js").read_text()
_SNAPSHOT = "typescript.blob"
# The compiler with its library, as it is when it has compiled something: 0.15 s in the place of 0.9.
_PREPARE = f"""
cat >compiler.js <<'END'
{_COMPILER}
END
cat "$(dirname "$(realpath "$(command -v tsc)")")/../lib/typescript.js" compiler.js >all.js
node --snapshot-blob {_SNAPSHOT} --build-snapshot all.js
"""
# Any other status than 0 and 1 is the snapshot's fault: another node made it.
_COMPILE = """
if [ -f "$1" ]; then node --snapshot-blob "$1" <main.ts >main.js; status=$?; [ $status -gt 1 ] || exit $status; fi
exec node compiler.js <main.ts >main.js
"""


class TypeScript:
    name = "typescript"
    tags = frozenset({"typescript", "ts", "mts", "cts"})
    start_seconds = 20.0

    def missing(self) -> str | None:
        return missing_program("node", "nodejs") or missing_program("tsc", "node-typescript")

    def recipe(self, source: str) -> Recipe:
        prepared = preparation("typescript", "node", _PREPARE, (_SNAPSHOT,), needed=False)
        return Recipe(
            {"main.ts": source.encode(errors="replace"), "compiler.js": _COMPILER.encode()},
            ("node", "main.js"),
            compile=("sh", "-c", _COMPILE, "sh", f"{prepared.folder}/{_SNAPSHOT}"),
            keep=("main.js",),
            preparation=prepared,
        )

    def pack(self, inputs: Sequence[tuple[object, ...]], slow: Sequence[bool]) -> bytes:
        return javascript.pack(inputs, slow)

    def calls(self, source: str, entry_point: str, parts: Sequence[bytes], *, timed: bool = False) -> Program:
        prepared = preparation("typescript", "node", _PREPARE, (_SNAPSHOT,), needed=False)
        compiler = {"snapshot": f"{prepared.folder}/{_SNAPSHOT}", "script": _COMPILER}
        return javascript.calls(source, entry_point, parts, timed=timed, compiler=compiler)
