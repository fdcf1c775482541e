"""JavaScript under node: a runner reads the calls and streams what they return.

Arguments and results are what JSON knows. A whole number comes back as an int (1.0 is 1 there), ``undefined``, a Map or
a Set as nothing that equals anything; a promise is awaited. ``console.assert`` fails no process: results alone count.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from evaluator.languages.language import Recipe
from evaluator.sandbox import Program, SandboxError

_RUNNER = Path(__file__).with_name("javascript_runner.js").read_text()


class JavaScript:
    """``path``: where programs are looked for, as the sandbox does."""

    name = "javascript"
    tags = frozenset({"javascript", "js", "node", "nodejs", "mjs", "cjs"})

    def __init__(self, path: str = "/usr/local/bin:/usr/bin:/bin") -> None:
        self._path = path

    def missing(self) -> str | None:
        if shutil.which("node", path=self._path):
            return None
        return "node is missing; install it: apt-get install nodejs"

    def recipe(self, source: str) -> Recipe:
        return Recipe({"main.js": source.encode()}, ("node", "main.js"), compile=("node", "--check", "main.js"))

    def pack(self, inputs: Sequence[tuple[object, ...]], slow: Sequence[bool]) -> bytes:
        calls = [{"args": _json(args), "first": first} for args, first in zip(inputs, slow, strict=True)]
        return json.dumps(calls).encode()

    def calls(self, source: str, entry_point: str, parts: Sequence[bytes], *, timed: bool = False) -> Program:
        job = {
            "runner": _RUNNER,
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
