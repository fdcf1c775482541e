"""Answers in other languages than Python run on their request's own examples, in a real sandbox."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluator.examples.verifier import ExamplesVerifier
from evaluator.languages import LANGUAGES
from evaluator.sandbox import Bubblewrap, Limits, Program, Remote
from policies.verify import Found, Question, Said, Verification
from tests.fixtures.sandboxes import serving

RULE = Verification("examples")
PROMPTS = {
    "javascript": "// >>> half(3)\n// 1.5\n// >>> half(4)\n// 2\nfunction half(n) {\n",
    "typescript": "// >>> half(3)\n// 1.5\n// >>> half(4)\n// 2\nfunction half(n: number): number {\n",
    "ruby": "# >>> half.call(3)\n# 1.5\n# >>> half.call(4)\n# 2\ndef half(n)\n",
    "php": "<?php\n// >>> half(3)\n// 1.5\n// >>> half(4)\n// 2.0\nfunction half($n) {\n",
    "lua": "-- >>> half(3)\n-- 1.5\n-- >>> half(4)\n-- 2\nlocal function half(n)\n",
    "perl": "# >>> half(3)\n# 1.5\n# >>> half(4)\n# 2\nsub half {\n    my($n) = @_;\n",
}
RIGHT = {
    "javascript": "function half(n) {\n  return n / 2;\n}\nconsole.log(half(1));\n",
    "typescript": "function half(n: number): number {\n  return n / 2;\n}\n",
    "ruby": "def half(n)\n  n / 2.0\nend\nputs half(1)\n",
    "php": "<?php\nfunction half($n) {\n    return $n / 2;\n}\n",
    "lua": "local function half(n)\n  return n / 2\nend\nprint(half(1))\n",
    "perl": "sub half {\n    my ($n) = @_;\n    return $n / 2;\n}\n",
}
BODIES = {
    "javascript": "  return n / 2;\n}\n",
    "typescript": "  return n / 2;\n}\n",
    "ruby": "  n / 2.0\nend\n",
    "php": "    return $n / 2;\n}\n",
    "lua": "  return n / 2\nend\n",
    "perl": "    return $n / 2;\n}\n",
}
HOSTILE = {
    "javascript": "process.stdout.write('x'.repeat(9)); process.exit(0); function half(n) { return 0; }",
    "ruby": "def half(n)\n  exit!(0)\nend\n",
    "php": "<?php\nfunction half($n) { while (true) { echo str_repeat('x', 65536); } }\n",
    "lua": "local function half(n)\n  os.exit(0)\nend\n",
    "perl": "sub half {\n    exec 'true';\n}\n",
}


@pytest.fixture(scope="module")
def sandboxd() -> Iterator[Path]:
    with serving({"kind": "bubblewrap"}, parallel=2) as path:
        yield path


@pytest.fixture(scope="module")
def verifier(sandboxd: Path) -> ExamplesVerifier:
    return ExamplesVerifier(Remote(sandboxd), run_seconds=60, wait_seconds=60)


async def found(verifier: ExamplesVerifier, language: str, answer: str, *, told: bool = False) -> Found:
    """``told``: the request says which language it is about."""
    check = await verifier.check(Question(PROMPTS[language], language if told else None), RULE)
    assert check is not None
    return await check.look(Said(answer))


@pytest.fixture(params=sorted(PROMPTS))
def language(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if (missing := LANGUAGES[name].missing()) is not None:
        pytest.skip(missing)
    return name


async def test_right_code_passes_however_it_is_given(verifier: ExamplesVerifier, language: str) -> None:
    fenced = f"Here it is:\n\n```{language}\n{RIGHT[language]}```\nEnjoy."
    for answer in (fenced,) if language == "typescript" else (fenced, RIGHT[language], BODIES[language]):  # it is slow
        assert await found(verifier, language, answer, told=answer == fenced) == Found("passed", 1.0)


async def test_wrong_and_hostile_code_does_not_pass(verifier: ExamplesVerifier, language: str) -> None:
    wrong, broken = RIGHT[language].replace("n / 2", "n / 3"), RIGHT[language].replace("(", "(((", 1)
    for code in (wrong,) if language == "typescript" else (wrong, HOSTILE[language], broken):
        found_out = await found(verifier, language, code)
        assert found_out.verdict == "failed" and found_out.score < 1


async def test_what_cannot_be_judged_is_left_alone(verifier: ExamplesVerifier, language: str) -> None:
    assert await found(verifier, language, "") == Found("skipped")
    assert await found(verifier, language, "```python\ndef half(n):\n    return n / 2\n```") == Found("skipped")
    prompt = PROMPTS[language].replace("1.5", "so much").replace("# 2", "#").replace("// 2", "//").replace("-- 2", "--")
    assert await verifier.check(Question(prompt.replace("//.0", "//")), RULE) is None


async def test_a_module_of_javascripts_is_no_script(verifier: ExamplesVerifier) -> None:
    assert await found(verifier, "javascript", "export " + RIGHT["javascript"]) == Found("skipped")


async def test_a_share_is_told_where_calls_are_counted(verifier: ExamplesVerifier) -> None:
    assert await found(verifier, "javascript", "function half(n) { return 2; }") == Found("failed", 0.5)


class _WithoutTools(Bubblewrap):
    """Nothing that it is to run is there."""

    def start(self, program: Program, limits: Limits) -> Any:
        return super().start(Program(("sh", "-c", "exit 127")), limits)


async def test_a_language_that_does_not_run_in_the_sandbox_says_nothing_of_answers(
    tmp_path: Path, language: str
) -> None:
    nobody = ExamplesVerifier(Remote(tmp_path / "socket"))
    assert await found(nobody, language, RIGHT[language]) == Found("unavailable")
    async with _WithoutTools() as box:
        without = ExamplesVerifier(box, run_seconds=60, wait_seconds=60)
        assert await found(without, language, RIGHT[language]) == Found("unavailable")
