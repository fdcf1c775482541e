from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.store.journal import DamagedJournal, Journal
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunBusy, RunFolder, run_path
from evaluator.verdict import Status


def _sample(number: int, answer: str | None = "x") -> Sample:
    return Sample("t/1", number, "2026-03-01T00:00:00.000+00:00", 1, answer=answer, request_ids=("a", "b"), ttft_ms=1.5)


def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    rows = [_sample(0), _sample(1, None), _sample(2, "líne\n\u2028 two \x00")]
    with Journal(tmp_path / "samples.jsonl", Sample) as journal:
        for row in rows:
            journal.append(row)
        assert list(journal.rows()) == rows
    with Journal(tmp_path / "samples.jsonl", Sample) as journal:
        assert list(journal.rows()) == rows


@given(cut=st.integers(0, 1_000))
def test_a_line_torn_anywhere_is_dropped_and_writing_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "samples.jsonl"
    with Journal(path, Sample) as journal:
        for number in range(3):
            journal.append(_sample(number))
    data = path.read_bytes()
    path.write_bytes(data[: min(cut, len(data))])
    whole = path.read_bytes().count(b"\n")
    with Journal(path, Sample) as journal:
        assert [row.sample for row in journal.rows()] == list(range(whole))
        journal.append(_sample(9))
        assert [row.sample for row in journal.rows()] == [*range(whole), 9]


def test_zeros_that_a_power_loss_leaves_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    with Journal(path, Sample) as journal:
        journal.append(_sample(0))
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    with Journal(path, Sample) as journal:
        assert [row.sample for row in journal.rows()] == [0]


def test_damage_before_the_last_line_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    with Journal(path, Sample) as journal:
        journal.append(_sample(0))
        journal.append(_sample(1))
    path.write_bytes(b"{broken\n" + path.read_bytes())
    with Journal(path, Sample) as journal, pytest.raises(DamagedJournal, match=r"samples\.jsonl:1"):
        list(journal.rows())


def test_an_outcome_is_a_verdict_with_its_cost(tmp_path: Path) -> None:
    outcome = Outcome("t/1", 0, Status.FAIL, Status.PASS, Status.FAIL, "f(1) is 2", cost_nanousd=12)
    with RunFolder(tmp_path / "run") as folder:
        folder.outcomes.append(outcome)
        assert list(folder.outcomes.rows()) == [outcome]


def test_only_one_process_writes_to_a_run(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run"), pytest.raises(RunBusy):
        RunFolder(tmp_path / "run")
    with RunFolder(tmp_path / "run") as folder:
        assert list(folder.samples.rows()) == []


def test_documents_are_replaced_whole(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run") as folder:
        assert folder.read("manifest.json") is None
        folder.write("manifest.json", {"a": 1})
        folder.write("manifest.json", {"a": [1.5, None]})
        assert folder.read("manifest.json") == {"a": [1.5, None]}
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"manifest.json", "samples.jsonl", "verdicts.jsonl"}


def test_the_latest_run_is_continued_and_a_new_one_gets_the_next_number(tmp_path: Path) -> None:
    assert run_path(tmp_path, "a-1", new=False).name == "a-1"
    assert run_path(tmp_path, "a-1", new=True).name == "a-1"
    for name in ("a-1", "a-1.2", "a-1.10", "a-10.7"):
        (tmp_path / name).mkdir()
    assert run_path(tmp_path, "a-1", new=False).name == "a-1.10"
    assert run_path(tmp_path, "a-1", new=True).name == "a-1.11"
