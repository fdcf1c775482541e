"""Answers as chat models send them, in languages that are not parsed here: what comes out is the program alone."""

import re
import textwrap

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluator.judging.extract import extract
from evaluator.judging.shapes import SHAPES
from evaluator.suites import StdioCheck, Task

PROMPTS = {
    "c": "#include <stdio.h>\n// Sum of n numbers.\nint sum_of(int *xs, int n) {\n",
    "cpp": "#include<assert.h>\n#include<bits/stdc++.h>\n// Sum.\nlong sum_of(std::vector<long> xs) {\n",
    "csharp": "using System;\nusing System.Collections.Generic;\nclass Problem {\n    // Sum.\n"
    "    public static long SumOf(List<long> xs) {\n",
    "go": 'package sum_of_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\n// Sum.\nfunc sum_of(xs []int) int {\n',
    "java": "import java.util.*;\nimport java.io.*;\nclass Problem {\n    // Sum.\n"
    "    public static long sumOf(ArrayList<Long> xs) {\n",
    "rust": "use std::collections::HashMap;\n\n/// Sum.\nfn sum_of(xs: Vec<isize>) -> isize {\n",
    "typescript": "// Sum.\nfunction sum_of(xs: number[]): number {\n",
}
BODIES = {
    "c": "    int s = 0;\n    for (int i = 0; i < n; i++) { s += xs[i]; }\n    return s;\n}\n",
    "cpp": "    long s = 0;\n    for (long x : xs) {\n        s += x;\n    }\n    return s;\n}\n",
    "csharp": "        long s = 0;\n        foreach (long x in xs) { s += x; }\n        return s;\n    }\n}\n",
    "go": "    s := 0\n    for _, x := range xs {\n        s += x\n    }\n    return s\n}\n",
    "java": "        long s = 0;\n        for (long x : xs) { s += x; }\n        return s;\n    }\n}\n",
    "rust": "    let mut s = 0;\n    for x in xs {\n        s += x;\n    }\n    s\n}\n",
    "typescript": "    let s = 0;\n    for (const x of xs) {\n        s += x;\n    }\n    return s;\n}\n",
}
MAINS = {
    "c": 'int main(void) {\n    printf("%d {", sum_of(0, 0)); // {\n    return 0;\n}\n',
    "cpp": "int main() {\n    char c = '{'; assert(sum_of({1}) == 1);\n    return 0;\n}\n",
    "go": 'func main() {\n    fmt.Println(sum_of(nil), "{")\n}\n\nfunc TestSum(t *testing.T) {\n    t.Log(`{`)\n}\n',
    "rust": "fn main() {\n    let c = '{';\n    println!(\"{}{}\", c, sum_of(vec![]));\n}\n",
}
TAGS = {"csharp": "c#", "cpp": "c++", "typescript": "ts"}


def task(language: str) -> Task:
    return Task("HumanEval_900_sum_of", language, PROMPTS[language], "sum_of", "", StdioCheck(()))


def squeezed(code: str | None) -> str:
    assert code is not None
    one_by_one = re.sub(r"import \(([^)]*)\)", lambda all_: "".join(f"import {one}\n" for one in all_[1].split()), code)
    return re.sub(r"\s+", " ", re.sub(r"//.*", "", one_by_one)).strip()


def whole(language: str) -> str:
    return PROMPTS[language] + BODIES[language]


def answers(language: str) -> dict[str, str]:
    program, body, tag = whole(language), BODIES[language], TAGS.get(language, language)
    open_body = body.rstrip().removesuffix("}").rstrip() + "\n"
    return {
        "fenced": f"Sure {{!\n\n```{tag}\n{program}```\n\nIt (the function) sums; see above.",
        "a fence at the end of a line": f"```{tag}\n{program.rstrip()}```\nIt sums.",
        "unfinished fence": f"```{tag}\n{program}",
        "no tag": f"```\n{program}```\nUse it:\n```\nsum_of(x);\n```",
        "wrong tag": f"```python\n{program}```",
        "other blocks": f"```bash\nmake\n```\n```{tag}\n{program}```\n```{tag}\nint other;\n```",
        "indented": f"1. So:\n\n   ```{tag}\n{textwrap.indent(program, '   ')}   ```\n",
        "bare": program,
        "prose around": f"Here is the function:\n\n{program}\nIt sums the list.\n",
        "continuation": body,
        "a body alone": f"```{tag}\n{body}```",
        "a body that closes nothing": f"```{tag}\n{open_body}```",
    }


@pytest.mark.parametrize("language", PROMPTS)
def test_the_program_alone_comes_out(language: str) -> None:
    found = {name: squeezed(extract(answer, task(language))) for name, answer in answers(language).items()}
    assert {name: code for name, code in found.items() if code != squeezed(whole(language))} == {}


@pytest.mark.parametrize("language", MAINS)
def test_its_own_main_goes(language: str) -> None:
    main, program = MAINS[language], whole(language)
    for answer in (
        f"```\n{program}\n{main}```",
        f"```\n{re.sub('^/+ Sum', lambda _: main, program, count=1, flags=re.MULTILINE)}```",
    ):
        code = extract(answer, task(language))
        assert code is not None
        assert "main" not in code
        assert "TestSum" not in code
        assert squeezed(BODIES[language]) in squeezed(code)


@pytest.mark.parametrize("language", MAINS)
def test_main_stays_where_nothing_else_is_there(language: str) -> None:
    main = MAINS[language].replace("sum_of", "other")
    code = extract(f"```\n{main}```", Task("t", language, "Write a program.", "", "", StdioCheck(())))
    assert code == main


@pytest.mark.parametrize("language", ["c", "cpp", "csharp", "java", "rust"])
def test_imports_of_the_prompt_are_added_where_they_lack(language: str) -> None:
    function = whole(language).rpartition("// Sum.")[2].partition("\n")[2]
    own = {"java": "import java.util.*;\n", "csharp": "using System;\n"}.get(language, "")
    code = extract(f"```\n{own}{function.rstrip().removesuffix('}') if own else function}```", task(language))
    assert code is not None
    lines = code.split("\n")
    for line in PROMPTS[language].split("\n"):
        if line.startswith(("#include", "using", "import", "use ", "class")):
            assert lines.count(line) == 1
    assert code.count("{") == code.count("}")


def test_rust_imports_no_name_twice() -> None:
    code = extract(
        f"```rust\nuse std::collections::{{HashMap, HashSet}};\n{whole('rust').partition(chr(10))[2]}```", task("rust")
    )
    assert code is not None
    assert code.count("HashMap") == 1


def test_go_keeps_one_package_and_the_imports_it_uses() -> None:
    body = BODIES["go"].replace("s := 0", "s := int(math.Abs(0))")
    answer = (
        'package main\n\nimport (\n    "fmt"\n    "math"\n    "sort"\n)\n\nimport "os"\n\nfunc sum_of(xs []int) int {\n'
    )
    code = extract(f"```go\n{answer}{body}\n{MAINS['go']}```", task("go"))
    assert code is not None
    assert code.count("package") == 1
    assert code.startswith("package sum_of_test\n")
    assert sorted(re.findall(r'"\w+"', code)) == ['"fmt"', '"math"', '"testing"']


def test_a_class_of_another_name_and_a_namespace() -> None:
    java = whole("java").replace("class Problem", "public class Solution")
    assert "class Problem" in str(extract(f"```java\n{java}```", task("java")))
    csharp = whole("csharp").replace("class Problem", "namespace Sums;\nclass Problem")
    assert "namespace" not in str(extract(f"```csharp\n{csharp}```", task("csharp")))


def test_a_helper_that_the_prompt_defines() -> None:
    helper = "long twice(long x) {\n    return 2 * x;\n}\n"
    prompt = f"#include<vector>\n{helper}long sum_of(std::vector<long> xs) {{\n"
    helped = Task("t", "cpp", prompt, "sum_of", "", StdioCheck(()))
    uses = "long sum_of(std::vector<long> xs) {\n    return twice(xs[0]);\n}\n"
    assert str(extract(f"```cpp\n{uses}```", helped)).count("long twice(long x)") == 1
    assert str(extract(f"```cpp\n{helper}{uses}```", helped)).count("long twice(long x)") == 1
    assert "long twice" not in str(extract(f"```cpp\n{uses.replace('twice', 'int')}```", helped))


@pytest.mark.parametrize("language", SHAPES)
@pytest.mark.parametrize(
    "answer", ["", "  \n ", "I cannot help with that.", "Sorry", "Sum them.\nThen return.", "```\n\n```"]
)
def test_no_code(language: str, answer: str) -> None:
    assert extract(answer, Task("t", language, PROMPTS.get(language, ""), "sum_of", "", StdioCheck(()))) is None


WORDS = re.compile(r"\w+")
PIECES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "\n", "    ", "```", "```go\n", "~~~", "{", "}", "end\n", "/*", "*/", "//", "#", '"', "'", "`", "<?php\n",
            "func sum_of(", "fn sum_of() {", "long sum_of(int x) {\n", "def sum_of(xs)\n", "sub sum_of {", "sum_of() {",
            "function sum_of() {", "local function sum_of()", "int main() {", "fn main() {", "func main() {",
            "class A {\n", "import (", '"fmt"\n', "package main\n", "import java.util.*;\n", "using System;\n",
            *PROMPTS.values(),
        ]
    ),
)  # fmt: skip


@given(st.sampled_from(sorted(SHAPES)), st.lists(PIECES, max_size=12).map("".join), st.booleans())
@example("java", "class A {\nlong sum_of(int x) {\n", True)
@settings(max_examples=300, deadline=None)
def test_nothing_is_made_up_whatever_the_answer(language: str, answer: str, is_function: bool) -> None:
    prompt = PROMPTS.get(language, "")
    code = extract(answer, Task("t", language, prompt, "sum_of" if is_function else "", "", StdioCheck(())))
    made_up = set(WORDS.findall(code or "")) - set(WORDS.findall(answer)) - set(WORDS.findall(prompt))
    assert made_up <= {"end", "php", "import"}


@pytest.mark.parametrize("language", SHAPES)
@pytest.mark.parametrize(
    "unit",
    ["(", "{", "/*", '"', "'", "`", "import (", "a b(", "x::", "```\n", "int main() {", "class A ", "  \n", "sum_of("],
)
def test_a_huge_answer_does_no_harm(language: str, unit: str) -> None:
    long = unit * (150_000 // len(unit))
    asked = Task("t", language, PROMPTS.get(language, ""), "sum_of", "", StdioCheck(()))
    extract(long, asked)
    extract(f"```\n{long}\n{PROMPTS.get(language, '')}\n```", asked)
