"""JavaScript under node: a runner reads the calls and streams what they return.

Arguments and results are what JSON knows. A whole number comes back as an int (1.0 is 1 there), ``undefined`` as null,
a Map or a Set as nothing that equals anything; a promise is awaited. ``console.assert`` fails no process: results alone
count.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluator.languages import apart, secret_word
from evaluator.languages.language import Recipe
from evaluator.sandbox import Program, SandboxError

_RUNNER = Path(__file__).with_name("javascript_runner.js").read_text()
_TESTS = Path(__file__).with_name("javascript_tests.js").read_text()
_ANSWERS = Path(__file__).with_name("javascript_answers.js").read_text()

# The solution's process first: it waits for the tests', which take its place here.
_BESIDE = """mkfifo asked answers || exit 1
node -e "$1" </dev/null >/dev/null 3<asked 4>answers &
exec 3>asked 4<answers && rm asked answers || exit 1
shift
"""

_MODULES = {
    "node_modules/js-md5.js": b"""
        const { createHash } = require("node:crypto");
        module.exports = (text) => createHash("md5").update(text).digest("hex");
    """
}
"""A package that HumanEval-X's solutions may ask for (task 162), where tests lie beside them."""


class JavaScript:
    """``path``: where programs are looked for, as the sandbox does."""

    name = "javascript"
    tags = frozenset({"javascript", "js", "node", "nodejs", "mjs", "cjs"})
    start_seconds = 5.0

    def __init__(self, path: str = "/usr/local/bin:/usr/bin:/bin") -> None:
        self._path = path

    def missing(self) -> str | None:
        if shutil.which("node", path=self._path):
            return None
        return "node is missing; install it: apt-get install nodejs"

    def recipe(self, source: str) -> Recipe:
        solution, tests, word = secret_word.split_tests(source)
        code = solution.encode(errors="replace")
        if tests is None:
            return Recipe({"main.js": code}, ("node", "main.js"), compile=("node", "--check", "main.js"))
        files = {"solution.js": code, "tests.js": tests.encode(), **_MODULES, **word}
        run = ("sh", "-c", _BESIDE + apart.UNREADABLE, "sh", _ANSWERS, "node", "-e", _TESTS)
        return Recipe(files, run, compile=("node", "--check", "solution.js"))

    def pack(self, inputs: Sequence[tuple[object, ...]], slow: Sequence[bool]) -> bytes:
        return pack(inputs, slow)

    def calls(self, source: str, entry_point: str, parts: Sequence[bytes], *, timed: bool = False) -> Program:
        return calls(source, entry_point, parts, timed=timed)


def pack(inputs: Sequence[tuple[object, ...]], slow: Sequence[bool]) -> bytes:
    """See ``CallsFunctions``. Every result is sent at once, the slow calls' as the others'."""
    return json.dumps([_json(args) for args, _ in zip(inputs, slow, strict=True)]).encode()


def calls(
    source: str, entry_point: str, parts: Sequence[bytes], *, timed: bool, compiler: Mapping[str, str] | None = None
) -> Program:
    """See ``CallsFunctions``. ``compiler``: the ``script`` and the ``snapshot`` that make JavaScript of the source."""
    job = {
        "runner": _RUNNER,
        "compiler": compiler,
        "source": source,
        "entryPoint": entry_point,
        "timed": timed,
        "parts": [json.loads(part) for part in parts],
    }
    return Program(("node", "-e", _RUNNER), stdin=json.dumps(job).encode())


def _json(args: tuple[object, ...]) -> str:
    try:
        return json.dumps(args, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise SandboxError(f"JavaScript takes no such argument: {error}") from error
