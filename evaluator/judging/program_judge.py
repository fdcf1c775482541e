"""Judges whole programs: compiles them in a sandbox, runs them there, and looks at what they write and how they end."""

import asyncio
import hashlib
import secrets
from dataclasses import dataclass, replace

from evaluator.judging.compare_output import matches
from evaluator.judging.outcome import Outcome, one_line
from evaluator.judging.preparing import Preparing
from evaluator.judging.turns import Turns, patience
from evaluator.languages import Language, Preparation, Recipe
from evaluator.sandbox import Limits, Program, Sandbox, SandboxError
from evaluator.sandbox.files import archive, carrying, making_files, with_files
from evaluator.suites import NONCE, Case, StdioCheck, Task, TestsCheck, WordsCheck
from evaluator.verdict import Status

COMPILE_SECONDS = 60.0
_PREPARE_SECONDS = 300.0
RUN_SECONDS = 10.0
"""What a run may take, or ``CANONICAL_FACTOR`` times the canonical solution's time where that is more."""

CANONICAL_FACTOR = 4.0
_CANONICAL_SECONDS = 300.0
_COMPILE_LIMITS = Limits(memory_bytes=4 << 30, processes=256, tmp_bytes=1 << 30, open_files=1024)
_MAX_OUTPUT_BYTES = 1 << 20
_MAX_ARTEFACT_BYTES = 256 << 20
_KEPT_ARTEFACTS = 64
_CARRIED = "weighbridge-prepared"
"""The folder of what was prepared, where the sandbox shows none."""


@dataclass(frozen=True, slots=True)
class _Ran:
    """A program's end. ``status`` is None where it was killed: too slow, or too talkative."""

    output: bytes
    said: str
    status: int | None = None
    late: bool = False
    out_of_memory: bool = False


class ProgramJudge:
    """For tasks with a ``StdioCheck``, a ``TestsCheck`` or a ``WordsCheck``."""

    def __init__(self, sandbox: Sandbox, limits: Limits, turns: Turns, run_seconds: float = RUN_SECONDS) -> None:
        self._sandbox = sandbox
        self._limits = limits
        self._turns = turns
        self._run_seconds = run_seconds
        self._secret = secrets.token_bytes(32)
        self._artefacts: dict[str, bytes | Outcome] = {}
        self._preparing = Preparing(sandbox, self._prepared, self._runs)

    async def outcome(self, task: Task, code: str, language: Language) -> Outcome:
        """Raises ``SandboxError``."""
        async with self._turns.shared():
            outcome = await self._judge(task, code, language, self._run_seconds)
        if outcome.status is Status.TIMEOUT:
            async with self._turns.alone():  # it may only have been starved
                canonical = await self._canonical_seconds(task, language)
                longest = max(self._run_seconds, CANONICAL_FACTOR * canonical)
                outcome = await self._judge(task, code, language, longest * patience())
        return outcome

    async def _judge(self, task: Task, code: str, language: Language, seconds: float) -> Outcome:
        check = task.check
        if isinstance(check, TestsCheck):
            return await self._tests(check, code, language, seconds)
        if isinstance(check, WordsCheck):
            return await self._words(check, code, language, seconds)
        assert isinstance(check, StdioCheck)
        return await self._cases(check, code, language, seconds)

    async def _cases(self, check: StdioCheck, code: str, language: Language, seconds: float) -> Outcome:
        recipe = language.recipe(check.before + code)
        built = await self._build(recipe)
        if isinstance(built, Outcome):
            return built
        for number, case in enumerate(check.cases, 1):
            ran = await self._run(with_files(built, recipe.run, case.stdin.encode()), seconds)
            problem = _ended_badly(ran) or _wrong_output(ran, case, check)
            if problem is not None:
                return replace(problem, detail=f"case {number}: {problem.detail}")
        return Outcome(Status.PASS)

    async def _tests(self, check: TestsCheck, code: str, language: Language, seconds: float) -> Outcome:
        word = self._word(code, 0)
        source = check.before + code + check.after.replace(NONCE, word)
        ran = await self._source(source, language, seconds)
        if isinstance(ran, Outcome):
            return ran
        if ran.output.rstrip().rpartition(b"\n")[2].strip() == f"{word} {check.tests}".encode():
            return Outcome(Status.PASS)
        return Outcome(Status.FAIL, "it ended before its tests had all passed")

    async def _words(self, check: WordsCheck, code: str, language: Language, seconds: float) -> Outcome:
        first, *others = check.rest
        words = [self._word(code, number) for number, _ in enumerate(others)]
        tests = first + "".join(word + piece for word, piece in zip(words, others, strict=True))
        ran = await self._source(check.before + code + tests, language, seconds)
        if isinstance(ran, Outcome):
            return ran
        failed = [number for number, word in enumerate(words, 1) if word.encode() not in ran.output]
        if failed:
            return Outcome(Status.FAIL, f"test {failed[0]} of {len(words)} did not pass")
        return Outcome(Status.PASS)

    def _word(self, code: str, number: int) -> str:
        """A secret word, which depends on the program and on this judge: the program's author cannot know it."""
        said = f"{number}:{code}".encode(errors="replace")
        return hashlib.blake2b(said, key=self._secret, digest_size=16).hexdigest()

    async def _source(self, source: str, language: Language, seconds: float) -> _Ran | Outcome:
        """A run that has ended well, or the outcome where there is none."""
        recipe = language.recipe(source)
        built = await self._build(recipe)
        if isinstance(built, Outcome):
            return built
        ran = await self._run(with_files(built, recipe.run), seconds)
        return _ended_badly(ran) or ran

    async def _build(self, recipe: Recipe) -> bytes | Outcome:
        """An archive of what running needs, or the outcome where it does not compile."""
        packed = archive(recipe.files)
        if recipe.compile is None:
            return packed
        key = hashlib.blake2b(packed + repr(recipe.compile).encode(), digest_size=16).hexdigest()
        if key not in self._artefacts:
            while len(self._artefacts) >= _KEPT_ARTEFACTS:
                del self._artefacts[next(iter(self._artefacts))]
            self._artefacts[key] = await self._compile(recipe, packed, await self.prepare(recipe))
        return self._artefacts[key]

    async def prepare(self, recipe: Recipe) -> bytes | None:
        """Makes what the recipe's language wants ready: ``Preparing.ready``."""
        return await self._preparing.ready(recipe.preparation) if recipe.preparation else None

    async def _compile(self, recipe: Recipe, packed: bytes, carried: bytes | None) -> bytes | Outcome:
        assert recipe.compile is not None
        if carried is None:
            program = making_files(packed, recipe.compile, recipe.keep)
        else:
            assert recipe.preparation
            command = [word.replace(recipe.preparation.folder, _CARRIED) for word in recipe.compile]
            file, argv = carrying(carried, _CARRIED, command)
            program = making_files(archive({**recipe.files, **file}), argv, recipe.keep)
        ran = await self._run(program, COMPILE_SECONDS * patience(), _COMPILE_LIMITS, _MAX_ARTEFACT_BYTES)
        if ran.status == 0:
            return ran.output if recipe.keep else packed
        why = "too slow" if ran.late else "out of memory" if ran.out_of_memory else ran.said or "no reason given"
        return Outcome(Status.COMPILE_ERROR, f"it does not compile: {why}")

    async def _prepared(self, preparation: Preparation) -> bytes:
        program = making_files(archive({}), preparation.compile, preparation.keep)
        ran = await self._run(program, _PREPARE_SECONDS * patience(), _COMPILE_LIMITS, _MAX_ARTEFACT_BYTES)
        if ran.status != 0:
            raise SandboxError(f"it cannot be made: {'too slow' if ran.late else ran.said}")
        return ran.output

    async def _runs(self, argv: tuple[str, ...]) -> bool:
        return (await self._run(Program(argv), COMPILE_SECONDS * patience(), _COMPILE_LIMITS)).status == 0

    async def _canonical_seconds(self, task: Task, language: Language) -> float:
        """How long the canonical solution takes for the whole check; 0 where there is none."""
        if not task.canonical_solution:
            return 0.0
        began = asyncio.get_running_loop().time()
        await self._judge(task, task.canonical_solution, language, _CANONICAL_SECONDS)
        return asyncio.get_running_loop().time() - began

    async def _run(
        self, program: Program, seconds: float, limits: Limits | None = None, most: int = _MAX_OUTPUT_BYTES
    ) -> _Ran:
        output = bytearray()
        async with self._sandbox.start(program, limits or self._limits) as run:
            try:
                async with asyncio.timeout(seconds):
                    while len(output) <= most and (chunk := await run.read()):
                        output += chunk
                    status = await run.exit_status() if len(output) <= most else None
            except TimeoutError:
                return _Ran(bytes(output), run.stderr(), late=True, out_of_memory=run.out_of_memory())
            return _Ran(bytes(output), one_line(run.stderr().encode()), status, out_of_memory=run.out_of_memory())


def _ended_badly(ran: _Ran) -> Outcome | None:
    if ran.late:
        return Outcome(Status.TIMEOUT, "over its time limit")
    if ran.status is None:
        return Outcome(Status.FAIL, "it writes without end")
    if ran.out_of_memory:
        return Outcome(Status.FAIL, "out of memory")
    if ran.status != 0:
        return Outcome(Status.FAIL, f"exit status {ran.status}{': ' if ran.said else ''}{ran.said}")
    return None


def _wrong_output(ran: _Ran, case: Case, check: StdioCheck) -> Outcome | None:
    if matches(ran.output.decode(errors="replace"), case.expected, check.oracle):
        return None
    return Outcome(Status.FAIL, f"it wrote {one_line(ran.output[:200])!r}")
