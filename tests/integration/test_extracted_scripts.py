"""Answers as chat models send them, in scripting languages: what is taken from them passes the task's tests."""

import asyncio
import shutil
import textwrap
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.sandbox import Bubblewrap
from evaluator.verdict import Status
from tests.fixtures.twice import PROMPTS, TWICE, twice_suite

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
]

BODIES = {
    "ruby": "  xs.map { |x| 2 * x }\nend\n",
    "php": "    return array_map(fn($x) => 2 * $x, $xs);\n}\n",
    "perl": "    return [map { 2 * $_ } @$xs];\n}\n",
    "lua": "  for i, x in ipairs(xs) do\n    xs[i] = 2 * x\n  end\n  return xs\nend\n",
    "bash": '    local all=() x\n    for x in $1; do all+=($((2 * x))); done\n    echo "${all[*]}"\n}\n',
}
DEMOS = {
    "ruby": "puts twice([1, 2]).inspect\n",
    "php": "print_r(twice(array(1, 2)));\n",
    "perl": "print join(', ', @{twice([1, 2])}), \"\\n\";\n",
    "lua": "print(table.concat(twice({1, 2}), ', '))\n",
    "bash": 'twice "1 2"\n',
}
HELPED = {
    "ruby": ("def double(x)\n  2 * x\nend\n", "def twice(xs)\n  xs.map { |x| double(x) }\nend\n"),
    "php": (
        "<?php\nfunction double($x) { return 2 * $x; }\n",
        "function twice($xs) { return array_map('double', $xs); }\n",
    ),
    "perl": ("sub double { return 2 * $_[0]; }\n", "sub twice { return [map { double($_) } @{$_[0]}]; }\n"),
    "lua": (
        "local function double(x) return 2 * x end\n",
        "local function twice(xs)\n  for i, x in ipairs(xs) do xs[i] = double(x) end\n  return xs\nend\n",
    ),
    "bash": (
        "double() {\n  echo $((2 * $1))\n}\n",
        'twice() {\n  local all=() x\n  for x in $1; do all+=("$(double "$x")"); done\n  echo "${all[*]}"\n}\n',
    ),
}


def answers(language: str) -> dict[str, str]:
    program, body, prompt, demo = TWICE[language][2], BODIES[language], PROMPTS[language], DEMOS[language]
    closed = body.rstrip().rpartition("\n")[0] + "\n"
    helper, helped = HELPED[language]
    return {
        "fenced": f"Sure!\n\n```{language}\n{program}```\n\nIt doubles each element.",
        "another tag": f"```python\n{program}```",
        "no tag, demo below": f"```\n{program}```\nUse it:\n```\n{demo}```",
        "demo first": f"For example:\n```{language}\n{demo}```\nwith\n```{language}\n{program}```",
        "demo within": f"```{language}\n{program}\n{demo}```",
        "the prompt repeated": f"```{language}\n{prompt}{body}```",
        "an unfinished fence": f"```{language}\n{program}",
        "an indented fence": f"1. So:\n\n   ```{language}\n{textwrap.indent(program, '   ')}   ```\n",
        "bare": program,
        "bare, with prose": f"Here is the function:\n\n{program}\nIt doubles each element.\n",
        "bare continuation": body,
        "a body alone": f"```{language}\n{body}```",
        "a body that closes nothing": f"```{language}\n{closed}```",
        "a helper in a block of its own": f"First:\n```{language}\n{helper}```\nThen:\n```{language}\n{helped}```",
    }


@pytest.mark.parametrize("language", TWICE)
async def test_what_is_taken_passes(language: str, tmp_path: Path) -> None:
    suite = twice_suite(language, tmp_path)
    (task,) = suite.tasks
    asked = answers(language)
    async with Judge(suite, Bubblewrap(), parallel=2, cache=tmp_path) as judge:
        verdicts = await asyncio.gather(*(judge.verdict(task, 0, answer) for answer in asked.values()))
    assert {name: v for name, v in zip(asked, verdicts, strict=True) if v.status is not Status.PASS} == {}
