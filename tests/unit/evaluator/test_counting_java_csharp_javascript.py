"""How the tests of public suites become tests that count: Java, C#, JavaScript and Python."""

import ast
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.languages import LANGUAGES, secret_word
from evaluator.languages.java import TESTS_CLASS
from evaluator.suites import NONCE, Check, FunctionCheck, SuiteError, TestsCheck
from evaluator.suites.counting import csharp, java, javascript, python
from evaluator.suites.counting.expressions import arguments, closing, equality, type_names


def counted(check: Check) -> TestsCheck:
    assert isinstance(check, TestsCheck)
    return check


@pytest.mark.parametrize(
    ("text", "end"),
    [("(a)", 2), ("(a, (b))", 7), ('(")")', 4), ("(')')", 4), ('("\\")")', 6), ("([{}])", 5), ("(/* ) */)", 8)],
)
def test_a_bracket_ends_where_it_is_closed(text: str, end: int) -> None:
    assert closing(text + ")", 0) == end


def test_a_bracket_without_an_end() -> None:
    with pytest.raises(ValueError, match="no end to the bracket"):
        closing('(")"', 0)


@given(st.lists(st.sampled_from(["f(1, 2)", '"a, b"', "'c'", "List.of(1, List.of(2, 3))", "x", "{1, 2}"]), min_size=1))
def test_arguments_are_cut_at_their_own_commas(parts: list[str]) -> None:
    assert arguments(", ".join(parts)) == parts


@pytest.mark.parametrize(
    ("expression", "sides"),
    [
        ("f(x).equals(y)", ("f(x)", "y")),
        ('s.f("a)").equals(List.of(1))', ('s.f("a)")', "List.of(1)")),
        ("Objects.equals(f(x), null)", ("f(x)", "null")),
        ("F(x).Equals(Tuple.Create(1, 2))", ("F(x)", "Tuple.Create(1, 2)")),
        ("f(x) == (1)", None),
        ("a && f(x).equals(y)", None),
        ("f(x).equals(y) && a", None),
        ("!f(x).equals(y)", None),
    ],
)
def test_an_equality_has_two_sides(expression: str, sides: tuple[str, str] | None) -> None:
    assert equality(expression) == sides


def test_type_names_are_words_outside_of_strings() -> None:
    assert type_names('List<String> x = Map.Entry.of("Object"); // Set') == {"List", "String", "Map"}


MULTIPL_E_JAVA = """    }
    public static void main(String[] args) {
    assert(twice((new ArrayList<Long>(Arrays.asList((long)1l)))).equals((new ArrayList<Long>(Arrays.asList(2l)))));
    assert(size((1l)) == (2l));
    }

}
"""


def test_java_asks_the_expected_value() -> None:
    check = counted(java.multipl_e(MULTIPL_E_JAVA))
    assert check.tests == 2
    assert "weighbridgeSame(Problem.twice((new ArrayList<Long>" in check.after
    assert "if (!(Problem.size((1l)) == (2l))) weighbridgeFail(2);" in check.after
    assert check.after.endswith(secret_word.last_line(NONCE))
    for name in ("java.util.ArrayList", "java.util.Arrays", "java.lang.Long", "java.lang.Object"):
        assert f"import {name};\n" in check.before


HUMANEVAL_X_JAVA = """public class Main {
    static Random rand = new Random(42);
    public static void main(String[] args) throws NoSuchAlgorithmException {
        Solution s = new Solution();
        List<Boolean> correct = Arrays.asList(
                s.f(1).equals(List.of(1, 2)),
                !s.g("a, b"),
                Objects.equals(s.h(), null)
        );
        if (correct.contains(false)) {
            throw new AssertionError();
        }
        for (int x = 0; x < 3; x++) {
            if (s.i(x) != x) {
                throw new AssertionError();
            }
        }
    }
}"""


def test_humaneval_x_in_java_counts_the_list_and_keeps_the_rest() -> None:
    check = counted(java.humaneval_x(HUMANEVAL_X_JAVA, ""))
    assert check.tests == 3
    for line in (
        "if (!(weighbridgeSame(s.f(1), List.of(1, 2)))) weighbridgeFail(1);",
        'if (!(!s.g("a, b"))) weighbridgeFail(2);',
        "if (!(weighbridgeSame(s.h(), null))) weighbridgeFail(3);",
        "static Random rand = new Random(42);",
        "if (s.i(x) != x) {",
    ):
        assert line in check.after
    assert "correct" not in check.after


def test_humaneval_x_in_java_without_a_list_is_one_test() -> None:
    test = "public class Main {\n    public static void main(String[] args) {\n        new Solution().f();\n    }\n}\n"
    assert counted(java.humaneval_x(test, "")).tests == 1


MULTIPL_E_CSHARP = """    }
    public static void Main(string[] args) {
    Debug.Assert(Twice((new List<long>(new long[]{(long)1L}))).Equals((new List<long>(new long[]{(long)2L}))));
    Debug.Assert(Least(("")).Equals(Tuple.Create((Nullable<long>)null, 1L)));
    Debug.Assert(Area((2L)) == (1.5f));
    }

}
"""


def test_csharp_compares_values_of_dotnets_own_types() -> None:
    check = counted(csharp.multipl_e(MULTIPL_E_CSHARP))
    assert check.tests == 3
    system = "global::System."
    for line in (
        f"WeighbridgeSame(Problem.Twice((new {system}Collections.Generic.List<long>(new long[]{{(long)1L}}))), ",
        f'WeighbridgeSame(Problem.Least(("")), {system}Tuple.Create(({system}Nullable<long>)null, 1L))',
        "WeighbridgeSame(Problem.Area((2L)), (1.5f))",
    ):
        assert line in check.after


def called(tests: str) -> list[tuple[object, object]]:
    check = javascript.multipl_e(tests)
    assert isinstance(check, FunctionCheck)
    [part] = check.parts
    assert part.expected is not None
    return list(zip(part.inputs, part.expected, strict=True))


def test_javascripts_asserts_become_calls() -> None:
    tests = """const assert = require('node:assert');
function test() {
  let candidate = f;
  assert.deepEqual(candidate([1.0, -2.5], "a(b", {"k": [true]}),undefined);
  assert.deepEqual(candidate(),{"a": null, "b": 9007199254740993});
  assert.deepEqual(candidate("two
lines"),-3.0);
}
test();"""
    assert called(tests) == [
        (([1, -2.5], "a(b", {"k": [True]}), None),
        ((), {"a": None, "b": 9007199254740992.0}),
        (("two\nlines",), -3),
    ]
    assert [type(value) for value in called(tests)[0][0][0]] == [int, float]  # type: ignore[index]


@pytest.mark.parametrize("text", ["candidate(x),1", "candidate(1),1 + 1", "1,2", "candidate(1)", "candidate(f()),1"])
def test_what_is_no_literal_is_said(text: str) -> None:
    with pytest.raises(SuiteError, match=r"no literal|no call and its result"):
        javascript.multipl_e(f"  assert.deepEqual({text});\n")


def test_console_asserts_are_numbered() -> None:
    check = counted(
        javascript.humaneval_x("const t = () => {\n console.assert(f() === 1)\n console.assert(g)\n}\nt()", "")
    )
    assert check.tests == 2
    assert "weighbridgeTest(1, f() === 1)\n weighbridgeTest(2, g)" in check.after


def test_pythons_asserts_are_numbered_and_its_functions_are_called_elsewhere() -> None:
    body = "    for x in range(3):\n        assert f(x) == math.pi, 'no'\n    assert poly([1])\n"
    test = f"import math\ndef check(f):\n{body}check(f)"
    check = counted(python.humaneval_x(test, ""))
    assert check.tests == 2
    solution, tests, word = secret_word.split_tests(f"def f(x): pass{check.after}", "#")
    assert (solution, word) == ("def f(x): pass", {secret_word.FILE: NONCE.encode()})
    assert tests is not None
    assert "weighbridge_test(1, f(x) == math.pi)" in tests
    given_names = {node.targets[0].id for node in ast.parse(tests).body if isinstance(node, ast.Assign)}  # type: ignore[attr-defined]
    assert {"f", "poly"} <= given_names
    assert given_names.isdisjoint({"math", "check", "range"})


@pytest.mark.parametrize(
    "make",
    [
        java.multipl_e,
        csharp.multipl_e,
        javascript.multipl_e,
        lambda test: java.humaneval_x(test, ""),
        lambda test: javascript.humaneval_x(test, ""),
        lambda test: python.humaneval_x(test, ""),
    ],
)
@pytest.mark.parametrize("tests", ["", "int main() { return 0; }"])
def test_tests_without_asserts_are_refused(make: Callable[[str], Check], tests: str) -> None:
    with pytest.raises(SuiteError, match=r"give MultiPL-E's own tests|give HumanEval-X's own tests"):
        make(tests)


@pytest.mark.parametrize(
    ("source", "file", "main"),
    [
        ("class A { public static void main(String[] a) {} }", "Main", "A"),
        ("class A {} class B { static void main(String... a) {} }", "Main", "B"),
        ("class A { static void main(String[] a) {} } public class B { static void main(String[] a) {} }", "B", "B"),
        ("public final class App { class In { } public static void main(String[] a) {} }", "App", "App"),
        ('class A { String s = "} class X {"; static void main(String[] a) {} } // class Y', "Main", "A"),
        ("record R(int x) { public static void main(String[] a) {} }", "Main", "R"),
        ("class A {}", "Main", "Main"),
    ],
)
def test_a_java_program_is_named_after_its_classes(source: str, file: str, main: str) -> None:
    recipe = LANGUAGES["java"].recipe(source)
    assert list(recipe.files) == [f"{file}.java"]
    assert recipe.run[-1] == main


def test_a_java_program_may_name_a_package() -> None:
    recipe = LANGUAGES["java"].recipe("package com.example.app;\nclass A { static void main(String[] a) {} }")
    assert recipe.files["Main.java"].split(b"\n")[0].strip() == b""
    assert recipe.run[-1] == "A"


def test_a_word_lies_in_a_file_of_its_own() -> None:
    source = "class Problem {}\n//weighbridge-word forged\nclass T {}" + secret_word.last_line("real")
    recipe = LANGUAGES["java"].recipe(source)
    assert recipe.files[secret_word.FILE] == b"real"
    assert b"real" not in recipe.files["Main.java"]
    assert recipe.run[-1] == TESTS_CLASS
    assert secret_word.FILE in recipe.keep
