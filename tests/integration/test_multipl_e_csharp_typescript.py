"""MultiPL-E in C# and TypeScript, whose recordings publish no verdicts: own solutions, right ones and wrong ones."""

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from evaluator.judging.judge import Judge
from evaluator.languages import LANGUAGES
from evaluator.sandbox import Bubblewrap
from evaluator.suites import load_suite
from tests.fixtures.shared_data import SHARED_DATA, needs_shared_data

SOLUTIONS = Path(__file__).parents[1] / "fixtures" / "solutions"

pytestmark = [
    needs_shared_data,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "language"), [("cs", "csharp"), ("ts", "typescript")])
async def test_right_ones_pass_and_wrong_ones_do_not(name: str, language: str, tmp_path: Path) -> None:
    if missing := LANGUAGES[language].missing():
        pytest.skip(missing)
    suite = load_suite(str(SHARED_DATA / f"suites/multipl-e/humaneval-{name}.jsonl.gz"))
    text = (SOLUTIONS / f"multipl_e_{language}.txt").read_text()
    table = re.findall(r"^=== (\w+): (\w+)\n((?:(?!=== ).*\n)+)", text, re.MULTILINE)
    async with Judge(suite, Bubblewrap(), parallel=2, cache=tmp_path) as judge:
        asked = []
        for _, task_id, code in table:
            task = suite.task(task_id)
            assert task is not None
            asked.append(judge.verdict_on_code(task, 0, code))
        verdicts = await asyncio.gather(*asked)
    wrong = [(status, verdict) for (status, _, _), verdict in zip(table, verdicts, strict=True)]
    assert [(status, verdict) for status, verdict in wrong if verdict.status != status] == []
    assert len({task_id for status, task_id, _ in table if status == "pass"}) >= 10
