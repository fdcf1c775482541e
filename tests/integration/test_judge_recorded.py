"""Published verdicts, found again; canonical solutions, which must pass."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.shared_data import SHARED_DATA, needs_shared_data, shared_rows

pytestmark = [
    needs_shared_data,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(900),
]

WEIGHBRIDGE = Path(sys.executable).with_name("weighbridge")
HUMANEVAL = "suites/evalplus/HumanEvalPlus-v0.1.9.jsonl.gz"


def judge(samples: Path) -> dict[str, Any]:
    command = [WEIGHBRIDGE, "judge", SHARED_DATA / HUMANEVAL, "--samples", samples, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def words(verdict: Mapping[str, Any]) -> tuple[str, str]:
    """The published verdict, in its own words."""
    return verdict["base_status"], verdict["plus_status"]


@pytest.mark.parametrize(("model", "base", "plus"), [("qwen2.5-coder-1.5b", 72, 60), ("qwen2.5-coder-7b", 101, 87)])
def test_published_verdicts(model: str, base: int, plus: int) -> None:
    result = judge(SHARED_DATA / f"recorded/{model}/humaneval-samples.jsonl.gz")
    ours = {verdict["task_id"]: (verdict["base"], verdict["plus"]) for verdict in result["verdicts"]}
    published = {row["task_id"]: words(row) for row in shared_rows(f"recorded/{model}/humaneval-verdicts.jsonl.gz")}
    assert {task: (ours[task], said) for task, said in published.items() if ours[task] != said} == {}
    summary = result["summary"]
    assert (summary["scored"], summary["base_passed"], summary["plus_passed"]) == (164, base, plus)
    low, high = summary["pass_at_1_interval"]
    assert low < summary["pass_at_1"] == plus / 164 < high


def test_canonical_solutions_pass_also_as_a_chat_model_would_send_them(tmp_path: Path) -> None:
    samples = []
    for row in shared_rows(HUMANEVAL):
        program = row["prompt"] + row["canonical_solution"]
        answer = f"Here is the function:\n\n```python\n{program}\n```\n\nIt does as asked."
        samples.append({"task_id": row["task_id"], "completion": answer})
    path = tmp_path / "canonical.jsonl"
    path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    result = judge(path)
    assert [verdict for verdict in result["verdicts"] if verdict["status"] != "pass"] == []
    assert result["summary"]["statuses"] == {"pass": 164}
