"""Tests that are linked with a solution: what is compiled with it, what is kept from it, and what cannot be counted."""

import pytest

from evaluator.languages import LANGUAGES, linked
from evaluator.suites import NONCE, SuiteError, TestsCheck
from evaluator.suites.counting import c, cpp, go, rust
from evaluator.suites.multipl_e import task

CPP_PROMPT = "#include<bits/stdc++.h>\nlong add(std::map<std::string,long> x, const long& y) {\n"
CPP_TESTS = "}\nint main() {\n    auto candidate = add;\n    assert(candidate(({}), (1)) == (1));\n}\n"
GO_TESTS = "func TestAdd(t *testing.T) {\n  candidate := add\n     { actual: candidate(1, 2), expected: 3 },\n}\n"
GO_PROMPT = 'package add_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\nfunc add(x int, y int) int {\n'


def source(check: TestsCheck, solution: str) -> str:
    return check.before + solution + check.after.replace(NONCE, "secret")


def parts(check: TestsCheck, solution: str) -> linked.Parts:
    found = linked.parts(source(check, solution))
    assert found is not None
    return found


def test_the_solution_is_apart_from_tests_and_word() -> None:
    check = cpp.multipl_e(CPP_TESTS, CPP_PROMPT)
    found = parts(check, "long add() { return 1; }")
    assert found.word == "secret"
    assert check.tests == 1
    assert "secret" not in found.solution + found.tests
    assert "candidate" not in found.solution
    assert "return 1" not in found.tests
    assert "{ return ::add(x, y); }" in found.solution


def test_marks_in_a_solution_count_for_nothing() -> None:
    check = cpp.multipl_e(CPP_TESTS, CPP_PROMPT)
    forged = linked.after("", "int main() {}", "mine")
    found = parts(check, forged)
    assert (found.word, "auto candidate" in found.tests) == ("secret", True)


def test_a_whole_program_has_no_parts() -> None:
    assert linked.parts("int main() {}") is None
    for language, name in {"c": "main.c", "cpp": "main.cpp", "go": "main.go", "rust": "main.rs"}.items():
        assert LANGUAGES[language].recipe("text").files == {name: b"text"}


def test_while_the_solution_is_compiled_the_tests_are_in_no_file() -> None:
    recipe = LANGUAGES["cpp"].recipe(source(cpp.multipl_e(CPP_TESTS, CPP_PROMPT), "long add;"))
    assert recipe.compile is not None
    script = recipe.compile[2]
    assert script.index('rm "$1"') < script.index("-c solution.cpp") < script.index("show >tests.cpp")
    assert script.rindex("weighbridge-word") > script.index("-o main")
    assert "secret" not in script
    assert recipe.preparation is not None
    assert not recipe.preparation.needed


def test_headers_are_prepared_for_who_includes_them() -> None:
    assert LANGUAGES["cpp"].recipe("#include <vector>\nint main() {}").preparation is None
    prepared = LANGUAGES["cpp"].recipe("# include <bits/stdc++.h>\nint main() {}").preparation
    assert prepared is not None
    assert prepared.folder == f"/prepared/{prepared.name}"
    crates = LANGUAGES["rust"].recipe("use rand::Rng;\nfn main() {}").preparation
    assert crates is not None
    assert crates.needed
    assert LANGUAGES["rust"].recipe("fn main() {}").preparation is None


def test_go_imports_what_only_tests_use_where_it_is_imported() -> None:
    check = go.multipl_e(GO_TESTS, GO_PROMPT)
    files = LANGUAGES["go"].recipe(source(check, GO_PROMPT + "return x + y }\n")).files
    assert b"package solution\n" in files["solution.go"]
    assert b"var _ = testing.Short\nvar _ = fmt.Sprint\n" in files["solution.go"]
    bare = LANGUAGES["go"].recipe(source(check, "package main\nfunc add(x, y int) int { return x + y }\n")).files
    assert b"testing.Short" not in bare["solution.go"]
    assert b"weighbridgeEqual(candidate(1, 2), 3, 1)" in bare["tests.go"]


def test_rust_types_are_those_of_the_declaration() -> None:
    prompt = "fn add<'a>(mut x: &'a HashMap<String, isize>, y: (isize, bool)) -> Vec<&'a str> {\n"
    tests = "}\n\nfn main() {\n    let candidate = add;\n    assert_eq!(candidate(&x, (1, true)), vec![]);\n}\n"
    found = parts(rust.multipl_e(tests, prompt), "")
    kind = "for<'a> fn(&'a HashMap<String, isize>, (isize, bool)) -> Vec<&'a str>"
    assert f"pub const weighbridge_add: {kind} = add;" in found.solution
    assert f"static add: {kind} = solution::weighbridge_add;" in found.tests


def test_c_is_known_by_its_prototype() -> None:
    function = "#include <stdio.h>\nstatic int half(int x) { return x / 2; }\nchar *func0(int *xs, int n) {\n}\n"
    assert c.prototype(function, "func0") == "char *func0(int *xs, int n)"
    with pytest.raises(SuiteError, match="defines no function 'func1'"):
        c.prototype(function, "func1")


@pytest.mark.parametrize(
    "make",
    [
        lambda: cpp.multipl_e(CPP_TESTS, "no function"),
        lambda: cpp.multipl_e("no tests", CPP_PROMPT),
        lambda: go.multipl_e("no tests", GO_PROMPT),
        lambda: go.humaneval_x("no tests", GO_PROMPT),
        lambda: rust.multipl_e("no tests", "fn add() {"),
        lambda: c.decompile("int func0(void) {\n}\n", "no tests", "func0"),
    ],
)
def test_what_cannot_be_counted_is_said(make: object) -> None:
    assert callable(make)
    with pytest.raises(SuiteError, match=r"give (the suite|MultiPL-E|HumanEval-X)'s own"):
        make()


@pytest.mark.parametrize(
    ("language", "tests", "closing"), [("cpp", CPP_TESTS, "\n}\n"), ("go", GO_TESTS, "")], ids=["cpp", "go"]
)
def test_what_a_stop_token_took_is_given_back(language: str, tests: str, closing: str) -> None:
    prompt = CPP_PROMPT if language == "cpp" else GO_PROMPT
    row: dict[str, object] = {"name": "HumanEval_1_add", "language": language, "prompt": prompt, "tests": tests}
    assert task(row).closing == closing
