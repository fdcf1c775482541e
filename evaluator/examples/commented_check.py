"""Runs an answer's code on examples that stand in comments, in the languages of ``commented``."""

import asyncio
import re
import secrets
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from evaluator.examples.commented import Commented, Shown
from evaluator.examples.commented_tests import CALLED, SOUND, as_tests, called, same
from evaluator.examples.running import Running, TooSlow
from evaluator.judging import serialise
from evaluator.judging.extract import extract
from evaluator.judging.records import Kind
from evaluator.languages import LANGUAGES, CallsFunctions
from evaluator.sandbox import Limits, SandboxError
from evaluator.sandbox.files import archive, with_files
from evaluator.suites import NONCE, Task, TestsCheck
from policies.verify import Found, Said

LONGEST_ANSWER = 32 * 1024
"""Characters."""

_LIMITS = Limits(memory_bytes=1 << 30, tmp_bytes=16 << 20)
"""Node alone takes more than Python."""
_MOST_BYTES = 1 << 20
_LOOK_AGAIN_S = 60.0
_TAG = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*([A-Za-z][\w+#]*)", re.MULTILINE)
_RECORD = struct.Struct("<BI")
_CLASH = re.compile(r"^(?:import|export)\b", re.MULTILINE)
"""A module of JavaScript's, which is no script."""


class CommentedRuns:
    """A language is used when a program that is right has been seen to pass: where its tools are not in the sandbox,
    nothing is known of an answer.
    """

    def __init__(self, running: Running) -> None:
        self._running = running
        self._sound: set[str] = set()
        self._unsound: dict[str, float] = {}

    async def share(self, code: str, commented: Commented) -> float:
        """Of the examples that hold. Raises ``SandboxError``, and ``TooSlow``."""
        await self._look_at(commented.language)
        return await self._share(code, commented)

    async def _look_at(self, language: str) -> None:
        if language in self._sound:
            return
        if time.monotonic() < self._unsound.get(language, 0.0):
            raise SandboxError(f"{language} does not run in the sandbox")
        probe = Commented(language, "same", "", (Shown("1", "1"), Shown('"a"', '"a"')))
        try:
            sound = await self._share(SOUND[language], probe) == 1
        except TooSlow as error:
            raise SandboxError(f"{language} takes too long to start") from error
        if not sound:
            self._unsound[language] = time.monotonic() + _LOOK_AGAIN_S
            raise SandboxError(f"{language} does not run in the sandbox")
        self._sound.add(language)

    async def _share(self, code: str, commented: Commented) -> float:
        if commented.language in CALLED:
            return await self._called(code, commented)
        return float(await self._tested(code, commented))

    async def _called(self, code: str, commented: Commented) -> float:
        language, calls = LANGUAGES[commented.language], called(commented.examples)
        assert isinstance(language, CallsFunctions)
        packed = language.pack(calls.inputs, [True] * len(calls.inputs))
        program = language.calls(code, commented.entry_point, [packed])
        output, _ = await self._running.output(
            program, more_seconds=language.start_seconds, limits=_LIMITS, most=_MOST_BYTES
        )
        if output[:1] != bytes([Kind.READY]):
            raise SandboxError("nothing runs in the sandbox")
        values = list(_values(output))
        return sum(map(same, values, calls.expected)) / len(calls.expected)

    async def _tested(self, code: str, commented: Commented) -> bool:
        """All of them or none: the tests end with the first that fails."""
        word, check = secrets.token_hex(16), as_tests(commented)
        recipe = LANGUAGES[commented.language].recipe(check.before + code + check.after.replace(NONCE, word))
        output, _ = await self._running.output(with_files(archive(recipe.files), recipe.run), limits=_LIMITS)
        return output.rstrip().rpartition(b"\n")[2].strip() == f"{word} {check.tests}".encode()


@dataclass(frozen=True, slots=True)
class CommentedCheck:
    runs: CommentedRuns
    thread: ThreadPoolExecutor
    commented: Commented

    async def look(self, said: Said) -> Found:
        if len(said.text) > LONGEST_ANSWER:
            return Found("skipped")
        code = await asyncio.get_running_loop().run_in_executor(self.thread, _code, said.text, self.commented)
        if code is None:
            return Found("skipped")
        try:
            share = await self.runs.share(code, self.commented)
        except TooSlow:
            return Found("failed")
        except SandboxError:
            return Found("unavailable")
        return Found("passed" if share == 1 else "failed", share)


def _code(answer: str, commented: Commented) -> str | None:
    """The answer's program; None where it holds none, or one that cannot be judged here: of another language, a module,
    or a body whose beginning stands in prose.
    """
    tags = {tag.lower() for tag in _TAG.findall(answer)}
    if tags and not tags & LANGUAGES[commented.language].tags:
        return None
    task = Task("", commented.language, commented.prompt, commented.entry_point, "", TestsCheck("", "", 0))
    code = extract(answer, task)
    if code is None or (commented.language in CALLED and _CLASH.search(code)):
        return None
    return code if re.search(rf"(?<!\w){re.escape(commented.entry_point)}(?!\w)", code) else None


def _values(output: bytes) -> Iterator[object]:
    """Of the records' values, in order; whatever they hold is hostile."""
    at = 0
    while at + _RECORD.size <= len(output):
        kind, size = _RECORD.unpack_from(output, at)
        payload = output[at + _RECORD.size : at + _RECORD.size + size]
        at += _RECORD.size + size
        if kind == Kind.VALUE:
            try:
                yield serialise.decode(payload)
            except serialise.MalformedValue:
                return
