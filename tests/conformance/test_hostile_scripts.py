"""Ruby, PHP, Perl, Lua and Bash that would rather be scored than right, as solutions of one of MultiPL-E's tasks."""

import asyncio
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.sandbox import Bubblewrap, Limits
from evaluator.verdict import Status, Verdict
from tests.fixtures.sandboxes import with_its_time
from tests.fixtures.twice import TWICE, twice_suite

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
]

SMALL = Limits(memory_bytes=256 << 20, processes=24, tmp_bytes=16 << 20)
SECONDS = 1.0
"""For a run, and at least as much again when it runs alone."""


def programs(language: str) -> list[tuple[str, str, str]]:
    """What each must get, what it tries, and the program."""
    text = Path(__file__).with_name(f"hostile_{language}.txt").read_text()
    return re.findall(r"^=== (.+?): (.+)\n((?:(?!=== ).*\n)+)", text, re.MULTILINE)


async def judged(language: str, codes: Mapping[str, str], directory: Path) -> dict[str, Verdict]:
    """The programs' verdicts, and right ones before and after, which must pass."""
    suite = twice_suite(language, directory)
    right = TWICE[language][2]
    task = with_its_time(*suite.tasks, right)
    sandbox = Bubblewrap()
    async with Judge(suite, sandbox, parallel=4, limits=SMALL, cache=directory, run_seconds=SECONDS) as judge:
        before = await judge.verdict_on_code(task, 0, right)
        verdicts = await asyncio.gather(*(judge.verdict_on_code(task, 0, code) for code in codes.values()))
        after = await judge.verdict_on_code(task, 0, right)
    assert (before.status, after.status) == (Status.PASS, Status.PASS), (before, after)
    return dict(zip(codes, verdicts, strict=True))


@pytest.mark.parametrize("language", TWICE)
async def test_no_cheat_pays(language: str, tmp_path: Path) -> None:
    table = programs(language)
    wanted = {name: statuses.split(" or ") for statuses, name, _ in table}
    verdicts = await judged(language, {name: code for _, name, code in table}, tmp_path)
    assert len(wanted) == len(table) > 20
    assert {name: v for name, v in verdicts.items() if v.status not in wanted[name]} == {}
    assert all(verdict.detail for verdict in verdicts.values())
