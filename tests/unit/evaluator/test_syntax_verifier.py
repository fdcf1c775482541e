"""``verify: syntax``: code that parses passes, code that does not fails, and what is no code is left alone."""

import pytest

from policies.verify import Question, Said, Verdict, Verification

pytest.importorskip("tree_sitter", reason="needs the extra weighbridge[syntax]")

from evaluator.syntax import SyntaxVerifier

RIGHT = {
    "python": "def f(x):\n    return x",
    "javascript": "function f(x) { return x; }",
    "typescript": "function f(x: number): number { return x; }",
    "bash": "f() {\n  echo $1\n}",
    "c": "int f(int x) { return x; }",
    "cpp": "#include <vector>\nstd::vector<int> f(int x) { return {x}; }",
    "csharp": "class A { int F(int x) { return x; } }",
    "fortran": "program a\n  print *, 1\nend program a",
    "go": "package main\n\nfunc f(x int) int {\n\treturn x\n}",
    "java": "class A { int f(int x) { return x; } }",
    "lua": "function f(x)\n  return x\nend",
    "perl": "sub f {\n  return g($_[0]);\n}",
    "php": "<?php\nfunction f($x) { return $x; }",
    "ruby": "def f(x)\n  x\nend",
    "rust": "fn f(x: i32) -> i32 { x }",
}


async def verdict(
    answer: str, language: str | None = None, *, prompt: str = "write it", continues: bool = False
) -> Verdict:
    verifier = SyntaxVerifier()
    check = await verifier.check(Question(prompt, language, continues), Verification("syntax"))
    return (await check.look(Said(answer))).verdict


@pytest.mark.parametrize("language", RIGHT)
async def test_each_language_is_parsed(language: str) -> None:
    code = RIGHT[language]
    assert await verdict(f"Here:\n```{language}\n{code}\n```\n") == "passed"
    assert await verdict(f"Here:\n```{language}\n{code}\n}} ) (\n```\n") == "failed"


async def test_bare_code_is_parsed_where_it_begins_as_code() -> None:
    assert await verdict(RIGHT["python"], "python") == "passed"
    assert await verdict("def f(x:\n    return x", "python") == "failed"
    assert await verdict("use std::fmt;\nfn f( {", "rust") == "failed"


async def test_a_completion_is_parsed_with_its_prompt() -> None:
    assert await verdict("x + 1\n", "python", prompt="def f(x):\n    return ", continues=True) == "passed"
    assert await verdict("x + (1\n", "python", prompt="def f(x):\n    return ", continues=True) == "failed"


@pytest.mark.parametrize(
    "answer", ["Which one do you mean?", "```cobol\nDISPLAY 'A'.\n```", "```text\nso (\n```", "", "x" * 100_000]
)
async def test_what_cannot_be_parsed_is_left_alone(answer: str) -> None:
    assert await verdict(answer) == "skipped"
    assert await verdict(answer, "cobol") == "skipped"
