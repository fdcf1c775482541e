"""Ruby, PHP, Perl, Lua and Bash that would rather be scored than right, as solutions of one of MultiPL-E's tasks."""

import asyncio
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.sandbox import Bubblewrap, Limits
from evaluator.suites import Suite, load_suite
from evaluator.verdict import Status, Verdict

pytestmark = pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)")

SMALL = Limits(memory_bytes=256 << 20, processes=24, tmp_bytes=16 << 20)
SECONDS = 1.0
"""For a run, and again when it runs alone."""

PAIRS = (("1, 2", "2, 4"), ("", ""), ("3", "6"), ("-1, 0, 7", "-2, 0, 14"))


def ruby_tests() -> str:
    lines = "".join(f"    assert_equal([{doubled}], candidate.call([{xs}]))\n" for xs, doubled in PAIRS)
    head = "require 'test/unit'\nclass TestHumanEval < Test::Unit::TestCase\n  def test_twice\n"
    return f"{head}    candidate = method(:twice)\n{lines}  end\nend\n"


def php_tests() -> str:
    throw = '{ throw new Exception("Test failed!"); }'
    lines = "".join(f"    if (candidate(array({xs})) !== array({doubled})) {throw}\n" for xs, doubled in PAIRS)
    head = "function candidate(...$args) {\n    return twice(...$args);\n}\n\n"
    return f"{head}function test(): void {{\n{lines}}}\n\ntest();"


def perl_tests() -> str:
    tail = ') {\n        print "ok!" }else{\n        exit 1;\n        }\n'
    lines = "".join(f"        if(eq_deeply($candidate->([{xs}]),[{doubled}]){tail}" for xs, doubled in PAIRS)
    head = "use Test::Deep;\n\n\nsub testhumaneval {\n    my $candidate = \\&twice;\n"
    return f"{head}{lines}}}\n\ntesthumaneval();"


def lua_tests() -> str:
    lines = "".join(f"    lu.assertEquals(candidate({{ {xs} }}), {{ {doubled} }})\n" for xs, doubled in PAIRS)
    head = "lu = require('luaunit')\n\nfunction test_humaneval()\nlocal candidate = twice\n"
    return f"{head}{lines}end\n\nos.exit(lu.LuaUnit.run())"


def bash_tests() -> str:
    pairs = [(xs.replace(",", ""), doubled.replace(",", "")) for xs, doubled in PAIRS]
    lines = "".join(f'    [[ $(candidate "{xs}") = "{doubled}" ]]\n' for xs, doubled in pairs)
    return f'}}\n\ncandidate() {{\n    twice "$@"\n}}\n\nset -e\nrun_test() {{\n{lines}}}\n\nrun_test'


LANGUAGES = {
    "ruby": ("rb", ruby_tests(), "def twice(xs)\n  xs.map { |x| 2 * x }\nend\n"),
    "php": ("php", php_tests(), "<?php\nfunction twice($xs) { return array_map(fn($x) => 2 * $x, $xs); }\n"),
    "perl": ("pl", perl_tests(), "sub twice { my ($xs) = @_; return [map { 2 * $_ } @$xs]; }\n"),
    "lua": (
        "lua",
        lua_tests(),
        "local function twice(xs)\n  for i, x in ipairs(xs) do xs[i] = 2 * x end\n  return xs\nend\n",
    ),
    "bash": (
        "sh",
        bash_tests(),
        'twice() {\n  local all=() x\n  for x in $1; do all+=($((2 * x))); done\n  echo "${all[*]}"\n}\n',
    ),
}
"""Each language's name in MultiPL-E, the tests of `twice`, and a right solution."""


def programs(language: str) -> list[tuple[str, str, str]]:
    """What each must get, what it tries, and the program."""
    text = Path(__file__).with_name(f"hostile_{language}.txt").read_text()
    return re.findall(r"^=== (.+?): (.+)\n((?:(?!=== ).*\n)+)", text, re.MULTILINE)


def load(language: str, directory: Path) -> Suite:
    name, tests, _ = LANGUAGES[language]
    row = {"name": "HumanEval_900_twice", "language": name, "prompt": "", "tests": tests, "stop_tokens": []}
    (directory / "twice.jsonl").write_text(json.dumps(row))
    return load_suite(str(directory / "twice.jsonl"))


async def judged(language: str, codes: Mapping[str, str], directory: Path) -> dict[str, Verdict]:
    """The programs' verdicts, and right ones before and after, which must pass."""
    suite = load(language, directory)
    (task,) = suite.tasks
    right = LANGUAGES[language][2]
    sandbox = Bubblewrap()
    async with Judge(suite, sandbox, parallel=2, limits=SMALL, cache=directory, run_seconds=SECONDS) as judge:
        before = await judge.verdict_on_code(task, 0, right)
        verdicts = await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for code in codes.values()))
        after = await judge.verdict_on_code(task, 0, right)
    assert (before.status, after.status) == (Status.PASS, Status.PASS), (before, after)
    return dict(zip(codes, verdicts, strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_no_cheat_pays(language: str, tmp_path: Path) -> None:
    table = programs(language)
    wanted = {name: statuses.split(" or ") for statuses, name, _ in table}
    verdicts = await judged(language, {name: code for _, name, code in table}, tmp_path)
    assert len(wanted) == len(table) > 20
    assert {name: v for name, v in verdicts.items() if v.status not in wanted[name]} == {}
    assert all(verdict.detail for verdict in verdicts.values())
