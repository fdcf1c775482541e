"""From finished runs to examples, and what is said where there is nothing to learn."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.compare_runs import Unfinished
from evaluator.learning.examples import Example, Examples, NothingToLearn, read_examples
from evaluator.learning.fitting import FittingFailed, NoTorch, Settings, break_even, train
from evaluator.suites import load_suite
from evaluator.suites.suite import Task
from policies.features import BUCKETS, Features, features
from tests.fixtures.learnable import REVISIONS, Learnable, learnable, write_run


@pytest.fixture
def made(tmp_path: Path) -> Learnable:
    return learnable(tmp_path, 60)


def read(made: Learnable, *runs: Path) -> Examples:
    return read_examples(runs or (made.small, made.large), [load_suite(str(made.suite))])


def rewritten(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        change(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_two_runs_are_a_row_a_task_with_both_routes_in_order(made: Learnable) -> None:
    found = read(made)
    assert [(each.route, each.revision) for each in found.routes] == sorted(REVISIONS.items())
    assert (len(found.rows), found.left_out) == (60, 0)
    assert found.runs == ("run-small", "run-large")
    verdicts = [json.loads(line) for line in (made.small / "verdicts.jsonl").read_text().splitlines()]
    assert [row.solved[1] for row in found.rows] == [float(verdict["status"] == "pass") for verdict in verdicts]
    assert [row.cost_nanousd[1] for row in found.rows] == [verdict["cost_nanousd"] for verdict in verdicts]
    assert {row.solved[0] for row in found.rows} == {0.0, 1.0}


def test_repetitions_are_a_share_and_what_has_no_score_is_left_out(made: Learnable) -> None:
    with (made.small / "samples.jsonl").open("a") as samples, (made.small / "verdicts.jsonl").open("a") as verdicts:
        for sample, status in ((1, "fail"), (2, "pass"), (3, "unscorable"), (4, "no_answer")):
            row = {"task_id": "mixed/7", "sample": sample}
            answered = {"asked_at": "", "tries": 1, "route": "small", "revision": REVISIONS["small"]}
            samples.write(json.dumps(row | answered) + "\n")
            verdicts.write(json.dumps(row | {"status": status, "cost_nanousd": 3}) + "\n")
    rewritten(
        made.large / "verdicts.jsonl",
        lambda row: row.update(status="unscorable" if row["task_id"] == "mixed/3" else row["status"]),
    )
    first = json.loads((made.small / "verdicts.jsonl").read_text().splitlines()[7])
    found = read(made)
    rows = {row.task.task_id: row for row in found.rows}
    passes = (first["status"] == "pass") + 1
    assert rows["mixed/7"].solved[1] == passes / 3
    assert rows["mixed/7"].cost_nanousd[1] == round((first["cost_nanousd"] + 3 + 3) / 3)
    assert "mixed/3" not in rows and found.left_out == 1


def test_a_task_whose_cost_nobody_told_on_one_route_is_left_out(made: Learnable) -> None:
    def told_too_late(row: dict[str, object]) -> None:
        row.update(cost_nanousd=None if row["task_id"] == "mixed/3" else row["cost_nanousd"])

    rewritten(made.large / "verdicts.jsonl", told_too_late)
    found = read(made)
    assert found.left_out == 1 and "mixed/3" not in {row.task.task_id for row in found.rows}


def test_what_cannot_be_learnt_from_is_said(made: Learnable, tmp_path: Path) -> None:
    with pytest.raises(NothingToLearn, match="the runs are of small: two routes or more are needed"):
        read(made, made.small)
    with pytest.raises(NothingToLearn, match="which is not among the suites: name its file with --suite"):
        read_examples([made.small, made.large], [load_suite("builtin:python")])
    other = write_run(tmp_path / "changed", made.suite, "small", [True] * 60, "another00000")
    with pytest.raises(NothingToLearn, match="the runs are of 2 revisions of 'small': name those of one"):
        read(made, made.small, made.large, other)
    rewritten(made.large / "verdicts.jsonl", lambda row: row.update(cost_nanousd=None))
    with pytest.raises(NothingToLearn, match="does not know what its samples cost: replay through a gateway"):
        read(made)
    (made.small / "scorecards.json").unlink()
    with pytest.raises(Unfinished):
        read(made)


def seen(task: Task) -> Features:
    return features(task.prompt, task.language)


def test_few_tasks_teach_nothing(tmp_path: Path) -> None:
    few = learnable(tmp_path, 39)
    with pytest.raises(NothingToLearn, match="39 tasks were scored on every route: at least 40 source problems"):
        train(read(few), seen, Settings(sys.executable, 0, 5, None))


def test_without_torch_it_is_said_which_interpreter_has_none(made: Learnable, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\ncat >/dev/null; echo \"ModuleNotFoundError: No module named 'torch'\" >&2; exit 1\n")
    bare.chmod(0o755)
    with pytest.raises(NoTorch, match=f"{bare} has no torch"):
        train(read(made), seen, Settings(str(bare), 0, 5, None))
    with pytest.raises(NoTorch, match="No such file"):
        train(read(made), seen, Settings(str(tmp_path / "nowhere"), 0, 5, None))
    bare.write_text("#!/bin/sh\ncat >/dev/null; echo out of memory >&2; exit 1\n")
    with pytest.raises(FittingFailed, match="out of memory"):
        train(read(made), seen, Settings(str(bare), 0, 5, None))


def test_weights_that_would_not_serve_what_torch_said_are_no_model(made: Learnable, tmp_path: Path) -> None:
    zeros = {"mean": [0.0] * 28, "deviation": [1.0] * 28, "numbers": [[0.0] * 28] * 2, "buckets": [[0.0] * BUCKETS] * 2}
    rest = {"bias": [0.0, 0.0], "shrinkage": 1.0, "slope": [1.0, 1.0], "offset": [0.0, 0.0], "torch": "2"}
    answer = tmp_path / "answer.json"
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat >/dev/null; cat {answer}\n")
    python.chmod(0o755)
    settings = Settings(str(python), 0, 5, None)
    chances = [[0.5, 0.5]] * 60
    answer.write_text(json.dumps(zeros | rest | {"predicted": chances, "fitted": chances}))
    assert train(read(made), seen, settings).held_out[0].predicted == [0.5, 0.5]
    answer.write_text(json.dumps(zeros | rest | {"predicted": chances, "fitted": [*chances[1:], [0.5, 0.50001]]}))
    with pytest.raises(FittingFailed, match="the exported weights say otherwise than torch, by 1e-05"):
        train(read(made), seen, settings)


def row(*pairs: tuple[float, int]) -> Example:
    task = load_suite("builtin:python").tasks[0]
    return Example(task, "p", tuple(solved for solved, _ in pairs), tuple(cost for _, cost in pairs))


def test_a_solved_task_is_worth_what_each_further_one_costs() -> None:
    rows = [row((1.0, 100), (1.0, 500)), row((0.0, 100), (1.0, 700))]
    assert break_even(rows) == (600 - 100) * 2
    three = [row((1.0, 100), (0.0, 50), (1.0, 500)), row((0.0, 100), (0.0, 50), (1.0, 700))]
    assert break_even(three) == 600 - 50
    with pytest.raises(NothingToLearn, match="say it with --solved-usd"):
        break_even([row((1.0, 100), (0.0, 500))])
