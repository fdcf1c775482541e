"""C, C++, Go and Rust that would rather be scored than right, as solutions of public suites' tasks, in a sandbox."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.languages import LANGUAGES
from evaluator.sandbox import Limits, Sandbox
from evaluator.suites import Suite, load_suite
from evaluator.verdict import Status
from tests.fixtures.sandboxes import entered, with_its_time

pytestmark = pytest.mark.timeout(600)
SMALL = Limits(memory_bytes=256 << 20, processes=40, tmp_bytes=16 << 20)
SECONDS = 2.0
"""For a run, and at least as much again when it runs alone."""

PAIRS: tuple[tuple[list[str], list[str]], ...] = (
    (["a", "bc"], ["aa", "bcbc"]),
    ([], []),
    (["x y"], ["x yx y"]),
    ([""], [""]),
)


def _cpp(texts: list[str]) -> str:
    return f"(std::vector<std::string>({{{', '.join(f'(std::string){json.dumps(text)}' for text in texts)}}}))"


def _go(texts: list[str]) -> str:
    return f"[]string{{{', '.join(map(json.dumps, texts))}}}"


def _rust(texts: list[str]) -> str:
    strings = ", ".join(f"String::from({json.dumps(text)})" for text in texts)
    return f"vec![{strings}]" if texts else "Vec::<String>::new()"


def multipl_e(language: str) -> dict[str, object]:
    if language == "cpp":
        prompt = "#include<bits/stdc++.h>\nstd::vector<std::string> twice(std::vector<std::string> xs) {\n"
        lines = "".join(f"    assert(candidate({_cpp(xs)}) == {_cpp(ys)});\n" for xs, ys in PAIRS)
        tests = f"}}\nint main() {{\n    auto candidate = twice;\n{lines}}}\n"
    elif language == "rs":
        prompt = "fn twice(xs: Vec<String>) -> Vec<String> {\n"
        lines = "".join(f"    assert_eq!(candidate({_rust(xs)}), {_rust(ys)});\n" for xs, ys in PAIRS)
        tests = f"}}\n\nfn main() {{\n    let candidate = twice;\n{lines}}}\n"
    else:
        prompt = 'package twice_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\nfunc twice(xs []string) []string {\n'
        lines = "".join(f"     {{ actual: candidate({_go(xs)}), expected: {_go(ys)} }},\n" for xs, ys in PAIRS)
        tests = f"func TestTwice(t *testing.T) {{\n  candidate := twice\n   tests := []test{{\n{lines}   }}\n}}\n"
    return {"name": "HumanEval_900_twice", "language": language, "prompt": prompt, "tests": tests, "stop_tokens": []}


def decompile() -> dict[str, object]:
    asserts = "".join(f"    assert(strcmp(func0({json.dumps(x)}), {json.dumps(x + x)}) == 0);\n" for x in "abcd")
    test = f"#include <assert.h>\n#include <string.h>\nint main() {{\n{asserts}    return 0;\n}}\n"
    return {"task_id": 0, "type": "O0", "c_func": RIGHT["c"], "c_test": test, "input_asm_prompt": ""}


RIGHT = {
    "c": "#include <stdlib.h>\n#include <string.h>\nchar *func0(const char *x) {\n"
    "    return strcat(strcpy(malloc(2 * strlen(x) + 1), x), x);\n}\n",
    "cpp": "#include <bits/stdc++.h>\nstd::vector<std::string> twice(const std::vector<std::string>& xs) {\n"
    "    std::vector<std::string> ys;\n    for (auto& x : xs) ys.push_back(x + x);\n    return ys;\n}\n",
    "go": 'package twice_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\nfunc twice(xs []string) []string {\n'
    "\tvar ys []string\n\tfor _, x := range xs {\n\t\tys = append(ys, x+x)\n\t}\n\treturn ys\n}\n",
    "rust": "fn twice(xs: Vec<String>) -> Vec<String> {\n    xs.iter().map(|x| x.repeat(2)).collect()\n}\n"
    "fn main() {}\n",
}
ROWS = {"c": decompile(), "cpp": multipl_e("cpp"), "go": multipl_e("go_test.go"), "rust": multipl_e("rs")}


@pytest.fixture(params=["bubblewrap"])
async def box(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    async with entered(request.param, request) as sandbox:
        yield sandbox


def programs(language: str) -> list[tuple[str, str, str]]:
    """What each must get, what it tries, and the program."""
    text = Path(__file__).with_name(f"hostile_{language}.txt").read_text()
    return re.findall(r"^=== (.+?): (.+)\n((?:(?!=== ).*\n)+)", text, re.MULTILINE)


def twice(language: str, directory: Path) -> Suite:
    (directory / "twice.jsonl").write_text(json.dumps(ROWS[language]))
    return load_suite(str(directory / "twice.jsonl"))


@pytest.mark.parametrize("language", ROWS)
async def test_no_cheat_pays(language: str, box: Sandbox, tmp_path: Path) -> None:
    if missing := LANGUAGES[language].missing():
        pytest.skip(missing)
    table = programs(language)
    right = RIGHT[language]
    task = with_its_time(*twice(language, tmp_path).tasks, right)
    judge = Judge(twice(language, tmp_path), box, parallel=2, limits=SMALL, cache=tmp_path, run_seconds=SECONDS)
    before = await judge.verdict_on_code(task, 0, right)
    verdicts = await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for _, _, code in table))
    after = await judge.verdict_on_code(task, 1, right + "\n")
    assert (before.status, after.status) == (Status.PASS, Status.PASS), (before, after)
    judged = {name: (statuses, v) for (statuses, name, _), v in zip(table, verdicts, strict=True)}
    assert len(judged) == len(table) >= 19
    assert {name: v for name, (statuses, v) in judged.items() if v.status not in statuses.split(" or ")} == {}
    assert all(verdict.detail for verdict in verdicts)
