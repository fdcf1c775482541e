"""Examples in comments of other languages than Python: what is found, and what is too uncertain to be one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.examples import find as python
from evaluator.examples.commented import SPELLINGS, Shown, find, language_of
from evaluator.examples.commented_tests import as_tests, called, same, usable
from tests.fixtures.shared_data import needs_shared_data, shared_rows

PROMPTS = {
    "javascript": '// The sum.\n// >>> add([1, 2], "a")\n// 3\nfunction add(numbers, by){\n',
    "typescript": '// The sum.\n// >>> add([1, 2], "a")\n// 3\nfunction add(numbers: number[], by: string): number {\n',
    "ruby": '# The sum.\n# >>> add.call([1, 2], "a")\n# 3\ndef add(numbers, by)\n',
    "php": '<?php\n// The sum.\n// >>> add(array(1, 2), "a")\n// 3\nfunction add($numbers, $by) {\n',
    "lua": "-- The sum.\n-- >>> add({1, 2}, 'a')\n-- 3\nlocal function add(numbers, by)\n",
    "perl": '# The sum.\n# >>> add([1, 2], "a")\n# 3\nsub add {\n    my($numbers, $by) = @_;\n',
}
ARGUMENTS = {"php": 'array(1, 2), "a"', "lua": "{1, 2}, 'a'"}


@pytest.mark.parametrize("language", PROMPTS)
def test_doctests_in_comments_are_found_in_every_language(language: str) -> None:
    prompt = PROMPTS[language]
    found = find(prompt, language)
    assert found is not None and language_of(prompt) == language
    assert (found.entry_point, found.prompt) == ("add", prompt)
    assert found.examples == (Shown(ARGUMENTS.get(language, '[1, 2], "a"'), "3"),)
    assert find(f"Please write it:\n\n```{language}\n{prompt}```\n", language) == found
    assert find(f"Please write it.\n{prompt}", language) is not None


def test_prompts_in_other_languages_are_none_of_these() -> None:
    assert language_of("def add(a, b):\n    '''\n    >>> add(1, 2)\n    3\n    '''\n") is None
    assert language_of("Write a function `add` in any language.") is None
    assert language_of("fn add(a: i32) -> i32 {") is None


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("f(1) => 2", "2"),
        ("f(1) == 2", "2"),
        ("f(1) === true;", "true"),
        ("f(1) -> [1, 2]", "[1, 2]"),
        ("f(1); // => 'two'", "'two'"),
        ("f(1) should return -1.5.", "-1.5"),
        ("f(1) returns null", "null"),
    ],
)
def test_a_line_may_say_what_a_call_gives(line: str, value: str) -> None:
    for prompt in (f"/*\n * {line}\n */\nconst f = (x) => {{\n", f"// {line}\nfunction f(x) {{\n"):
        found = find(prompt, "javascript")
        assert found is not None and found.examples == (Shown("1", value),)


@pytest.mark.parametrize(
    "comment",
    [
        "// >>> f(1)\n//",
        "// >>> f(1)\n// about two",
        "// >>> f(x)\n// 2",
        "// >>> f(1) + 1\n// 2",
        "// >>> g(1)\n// 2",
        "// >>> f(g(1))\n// 2",
        "// >>> f(1\n// 2",
        "// >>> f(1)\n// [1,\n//  2]",
        "// f(n) = f(n - 1)",
        "// f(1) = 2 in the sequence",
        "// f(1) => something",
        "// f(1) => 2, or 3",
        "// f(1) => 1 + 1",
        "// >>> f(`1`)\n// 2",
        "// >>> f(1)\n// 2\n// >>> f(1)\n// 3",
    ],
)
def test_what_is_not_certain_is_no_example(comment: str) -> None:
    found = find(f"{comment}\nfunction f(x) {{\n", "javascript")
    assert found is None or not usable(found)


@pytest.mark.parametrize(
    ("language", "example"),
    [
        ("ruby", '# >>> f.call("#{1}")\n# 2'),
        ("ruby", "# >>> f.call(1)\n# 0.1"),  # compared without tolerance
        ("php", '// >>> f("$a")\n// 2'),
        ("php", "// >>> f(system(1))\n// 2"),
        ("perl", '# >>> f("a@b")\n# 2'),
        ("perl", '# >>> f(1)\n# ""'),  # false may be 0 as well
        ("lua", "-- >>> f(1)\n-- {1, nil}"),
    ],
)
def test_what_a_language_may_take_otherwise_is_no_example(language: str, example: str) -> None:
    assert find(example + PROMPTS[language].partition("3")[2].replace("add", "f"), language) is None


@given(st.text(max_size=300), st.sampled_from(sorted(SPELLINGS)))
def test_no_text_is_too_wild(text: str, language: str) -> None:
    for wild in (text, PROMPTS[language] + text, text + PROMPTS[language]):
        found = find(wild, language)
        language_of(wild)
        if found is not None and usable(found) and language not in ("javascript", "typescript"):
            assert as_tests(found).tests == len(found.examples)


@pytest.mark.parametrize(
    ("actual", "expected", "is_same"),
    [
        (1, 1.0, True),
        (0.1 + 0.2, 0.3, True),
        ("6.00", 6, True),
        ("six", 6, False),
        (True, 1, False),
        (1, True, False),
        (None, None, True),
        (0, None, False),
        ([1, [2.0]], [1, [2]], True),
        ([1], [1, 2], False),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"b": 1}, False),
        ("a", "a", True),
        ("1", "a", False),
    ],
)
def test_results_are_compared_as_people_write_them(actual: object, expected: object, is_same: bool) -> None:
    assert same(actual, expected) is is_same


def test_literals_of_javascript_become_values() -> None:
    shown = (Shown('[1.0, null], "a\\n"', "true"), Shown("{a: 1}", "2"), Shown("{'a': 1}", "undefined"))
    found = called(shown)
    assert found.inputs == (([1, None], "a\n"), ({"a": 1},)) and found.expected == (True, None)


@needs_shared_data
def test_most_of_multipl_es_prompts_show_examples_and_none_is_taken_for_python() -> None:
    names = {"javascript": "js", "typescript": "ts", "ruby": "rb", "php": "php", "lua": "lua", "perl": "pl"}
    for language, name in names.items():
        rows = shared_rows(f"suites/multipl-e/humaneval-{name}.jsonl.gz")
        assert {language_of(row["prompt"]) for row in rows} == {language}
        found = [find(row["prompt"], language) for row in rows]
        assert sum(each is not None for each in found) >= 150
        for row, each in zip(rows, found, strict=True):
            assert each is None or row["name"].endswith(f"_{each.entry_point}")
    rows = shared_rows("suites/evalplus/HumanEvalPlus-v0.1.10.jsonl.gz")
    assert {language_of(row["prompt"]) for row in rows} == {None}


@pytest.mark.parametrize(
    "text",
    [
        "// " + " " * 40_000 + "x",
        "\n".join(["// >>> f(" + "/*" * 480] * 40),
        "\n".join(["function f(" + ":(" * 480] * 40),
        "\n".join(["const f = " + "= " * 480] * 40),
        "\n".join(["def f" + "(" * 480 + ")" * 480] * 40),
        "\n".join(["// f(" + "[" * 900] * 40),
        "\n".join(["// f('" + "\\'" * 400] * 40),
        "```\n~~~\n" * 4000,
        "local function f(" * 3000,
    ],
)
def test_hostile_text_takes_no_time(text: str) -> None:
    """It would not end where a pattern were tried in too many ways."""
    for language in SPELLINGS:
        language_of(text)
        assert find(text, language) is None


def test_ruby_is_not_run_as_python() -> None:
    """`fib(1) == 1` in its comments is an example in either, and its `def` would do for both."""
    prompt = "# fib(1) == 1\n# fib(2) == 1\ndef fib(n)\n"
    assert python.find(prompt) is not None and language_of(prompt) == "ruby"
