"""Whether wires score alike, from run folders as replays leave them; and what --wire may say."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
import pytest

from evaluator.compare_runs import Measured, read_run
from evaluator.replaying.wire_honesty import wire_report
from evaluator.replaying.wires import Wire
from evaluator.scorecards import Group, Subject, Tally, scorecard
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder
from evaluator.verdict import Status
from gateway.cli import replay
from gateway.cli.failure import ConfigFailure
from gateway.cli.replay_wires import parsed_wires


def _run(folder: Path, wire: Wire, verdicts: str, languages: Sequence[str] = ("python",)) -> list[Measured]:
    """``verdicts``: a mark a task, in each language."""
    target = {"name": "small", "kind": "route", "revision": "1", "is_gateway": True}
    manifest = {"run_id": wire, "suite": "s", "suite_hash": "c0", "target": target, "samples": 1, "wire": wire}
    manifest |= {"limits": {"concurrency": [1]}, "sampling": {}, "partial": False, "command": "replay"}
    cards = []
    with RunFolder(folder / wire) as run:
        run.write("manifest.json", manifest)
        for language in languages:
            tally = Tally()
            for number, mark in enumerate(verdicts):
                at = "2026-03-01T00:00:00+00:00"
                sample = Sample(f"{language}/{number}", 0, at, 1, answer="x", language=language)
                outcome = Outcome(sample.task_id, 0, Status.PASS if mark == "1" else Status.FAIL)
                run.samples.append(sample)
                run.outcomes.append(outcome)
                tally.add(sample, outcome)
            subject = Subject(wire, "s", "c0", 1)
            cards.append(scorecard(subject, Group("small", "1", language), tally, manifest, partial=False))
        run.write("scorecards.json", {"scorecards": [asdict(card) for card in cards]})
    return read_run(folder / wire)


def test_one_wire_that_loses_answers_is_unlike_the_two_others(tmp_path: Path) -> None:
    chat, messages = (_run(tmp_path, wire, "1" * 12) for wire in ("chat", "messages"))
    responses = _run(tmp_path, "responses", "0" * 12)
    report = wire_report({"chat": chat, "responses": responses, "messages": messages})
    assert [(pair.first, pair.second) for pair in report.unlike] == [("chat", "responses"), ("responses", "messages")]
    assert [pair.p_holm for pair in report.pairs] == pytest.approx([3 * 2 / 2**12, 1, 3 * 2 / 2**12])
    assert {wire: card.pass_at_1 for wire, card in report.cards.items()} == {"chat": 1, "responses": 0, "messages": 1}


def test_several_comparisons_are_not_each_taken_for_the_only_one(tmp_path: Path) -> None:
    """Six tasks lost of six: p = 0.031 by itself, and 0.094 as one of three."""
    runs: dict[Wire, list[Measured]] = {
        "chat": _run(tmp_path, "chat", "1" * 20),
        "responses": _run(tmp_path, "responses", "1" * 14 + "0" * 6),
        "messages": _run(tmp_path, "messages", "1" * 20),
    }
    assert not wire_report(runs).unlike
    del runs["messages"]
    (only,) = wire_report(runs).pairs
    assert only.p_holm == only.paired.p_value < 0.05 and not only.alike


def test_languages_are_taken_together(tmp_path: Path) -> None:
    languages = ("go", "rust")
    runs: dict[Wire, list[Measured]] = {
        "chat": _run(tmp_path, "chat", "1" * 8, languages),
        "messages": _run(tmp_path, "messages", "1" * 7 + "0", languages),
    }
    (pair,) = wire_report(runs).pairs
    assert pair.paired.tasks == 16 and pair.alike


def test_wires_are_named_once_each_in_their_order() -> None:
    assert parsed_wires("messages, chat,messages") == ("messages", "chat")
    for wrong in ("", ",", "chat,soap"):
        with pytest.raises(click.BadParameter, match="write one or more of chat, responses, messages"):
            parsed_wires(wrong)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--all", "--wire", "chat,messages"), "--all weighs on one wire"),
        (
            ("builtin", "--route", "r", "--wire", "chat,messages", "--until", "pass_at_1 >= 0.8"),
            "--until may stop each",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(words: tuple[str, ...], told: str) -> None:
    with pytest.raises(ConfigFailure, match=re.escape(told)):
        replay.command.main(list(words), standalone_mode=False)
