"""`compare` on run folders as a replay leaves them, on files, and on routes of a real HTTP server."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evaluator.scorecards import Group, Subject, Tally, scorecard
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder
from evaluator.verdict import Status
from gateway.cli import compare
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot
from tests.fixtures.json_server import json_server


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WEIGHBRIDGE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("WEIGHBRIDGE_API_KEY", raising=False)
    folder = tmp_path / "state" / "replays"
    folder.mkdir(parents=True)
    return folder


def write_run(
    runs: Path,
    run_id: str,
    verdicts: dict[str, Sequence[Status]],
    *,
    route: str = "",
    suite_hash: str = "c0ffee",
    ms: float = 100.0,
    cost: int = 1_000_000,
    concurrency: int = 8,
    partial: bool = False,
    finished: bool = True,
) -> Scorecard:
    """A run of a route, by default of one named like it: every task with its samples' verdicts."""
    route = route or run_id
    repetitions = max(map(len, verdicts.values()))
    target = {"name": route, "kind": "route", "revision": "rev-" + route, "is_gateway": True}
    limits = {"concurrency": [concurrency]}
    manifest = {"run_id": run_id, "suite": "s+", "suite_hash": suite_hash, "target": target, "samples": repetitions}
    manifest |= {
        "limits": limits,
        "sampling": {"temperature": 0.2},
        "partial": partial,
        "command": "weighbridge replay",
    }
    tally = Tally()
    with RunFolder(runs / run_id) as folder:
        folder.write("manifest.json", manifest)
        for task_id, statuses in verdicts.items():
            for number, status in enumerate(statuses):
                at = "2026-03-01T00:00:00+00:00"
                sample = Sample(task_id, number, at, 1, answer="x", ttft_ms=ms, total_ms=2 * ms, output_tokens=50)
                outcome = Outcome(task_id, number, status, cost_nanousd=cost)
                folder.samples.append(sample)
                folder.outcomes.append(outcome)
                tally.add(sample, outcome)
        subject = Subject(run_id, "s+", suite_hash, repetitions)
        group = Group(route, "rev-" + route, "python")
        card = scorecard(subject, group, tally, manifest, partial=partial)
        if finished:
            folder.write("scorecards.json", {"scorecards": [asdict(card)]})
    return card


def tasks(passes: str) -> dict[str, Sequence[Status]]:
    """``"101"``: the first and third task pass, the second does not."""
    return {f"t/{n}": (Status.PASS if mark == "1" else Status.FAIL,) for n, mark in enumerate(passes)}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(compare.command, arguments)


def failure(*arguments: str) -> Failure:
    error = run(*arguments).exception
    assert isinstance(error, Failure), error
    return error


def test_the_report_of_a_change(runs: Path) -> None:
    write_run(runs, "before", tasks("0000000011"), ms=4200, cost=870_000)
    write_run(runs, "after", tasks("1111111001"), ms=890, cost=90_000)
    output = run("before", "after").output
    assert max(map(len, output.splitlines())) <= 100
    lines = [" ".join(line.split()) for line in output.splitlines()]
    assert "s+ (python), suite hash c0ffee" in lines
    assert "A before, revision rev-before, run before, 2026-03-01" in lines
    assert "pass@1 0.200 (0.057 to 0.510) 0.800 (0.490 to 0.943) +0.600" in lines
    assert "first token p99 4,200 ms 890 ms -79%" in lines
    assert "whole request p50 8,400 ms 1,780 ms -79%" in lines
    assert "$ per 1,000 calls $0.87 $0.0900 -90%" in lines
    assert "$ per solved task $0.0043 $0.000112500 -97%" in lines
    words = " ".join(lines)
    assert "10 tasks paired: 7 better, 1 worse, 2 alike; p = 0.070 (exact McNemar test, two-sided)" in words
    assert "worse: t/8 (1 to 0)" in words
    assert "Psychometrika 12 (1947)" in words


def test_several_samples_a_task_say_which_test(runs: Path) -> None:
    both = (Status.PASS, Status.FAIL)
    write_run(runs, "a", {"t/0": both, "t/1": (Status.NO_ANSWER, Status.NO_ANSWER)})
    write_run(runs, "b", {"t/0": (Status.PASS, Status.PASS), "t/1": both})
    words = " ".join(run("a", "b").output.split())
    assert "1 tasks paired (1 without a score on one side left out): 1 better" in words
    assert "paired cluster bootstrap, two-sided" in words
    assert "better: t/0 (0.5 to 1)" in words


def test_json_lists_everything(runs: Path) -> None:
    write_run(runs, "a", tasks("1" * 30))
    write_run(runs, "b", tasks("0" * 30))
    assert "and 10 more (--json lists all)" in " ".join(run("a", "b").output.split())
    (comparison,) = json.loads(run("a", str(runs / "b"), "--json").output)["comparisons"]
    assert len(comparison["paired"]["worse"]) == 30
    assert comparison["paired"]["p_value"] == 2 / 2**30
    assert comparison["before"]["cost_nanousd"]["per_1000_calls"] == 1_000_000_000
    assert comparison["after"]["cost_nanousd"]["per_solved_task"] is None
    assert comparison["after"]["interval_95"][0] == 0


def test_markdown_is_a_table(runs: Path) -> None:
    write_run(runs, "a", tasks("10"))
    write_run(runs, "b", tasks("11"))
    output = run("a", "b", "--markdown").output
    assert "|  | A | B | change |\n| --- | --- | --- | --- |\n| pass@1 |" in output
    assert isinstance(failure("a", "b", "--markdown", "--json"), ConfigFailure)


def test_fail_if_worse(runs: Path) -> None:
    write_run(runs, "good", tasks("111111"))
    write_run(runs, "bad", tasks("000000"))
    write_run(runs, "poor", tasks("000001"))
    assert failure("good", "bad", "--fail-if-worse").exit_code == 1
    assert "B is worse than A on s+ (python) (p < 0.05)" in str(failure("good", "bad", "--fail-if-worse"))
    assert run("good", "poor", "--fail-if-worse").exit_code == 0
    assert run("bad", "good", "--fail-if-worse").exit_code == 0


def test_different_suites_are_refused(runs: Path) -> None:
    write_run(runs, "a", tasks("10"))
    write_run(runs, "b", tasks("10"), suite_hash="decaf")
    error = failure("a", "b")
    assert error.exit_code == 2
    assert "hash is c0ffee before and decaf after" in str(error)


def test_slices_are_compared_on_what_both_asked(runs: Path) -> None:
    write_run(runs, "whole", tasks("1100"))
    write_run(runs, "slice", tasks("01"), partial=True, concurrency=2)
    words = " ".join(run("whole", "slice").output.split())
    assert "note: only the 2 tasks that both runs asked are compared" in words
    assert "note: calls in flight: 8 before, 2 after" in words
    assert "pass@1 1.000 (0.342 to 1.000) 0.500" in words
    write_run(runs, "other", {"u/1": (Status.PASS,)}, partial=True)
    assert "none in common" in str(failure("whole", "other"))


def test_an_unfinished_run_says_how_to_go_on(runs: Path) -> None:
    write_run(runs, "a", tasks("10"))
    write_run(runs, "b", tasks("1"), finished=False)
    error = failure("a", "b")
    assert isinstance(error, MissingFailure)
    assert "`weighbridge replay` goes on with it" in str(error)
    assert "no manifest.json" in str(failure("a", str(runs)))


def test_files_of_scorecards(runs: Path, tmp_path: Path) -> None:
    a, b = write_run(runs, "a", tasks("10")), write_run(runs, "b", tasks("11"))
    file = tmp_path / "results.json"
    elsewhere = [asdict(replace(card, run_id="elsewhere-" + card.run_id)) for card in (a, b)]
    file.write_text(json.dumps({"scorecards": elsewhere}))
    output = run(f"{file}#a", f"{file}#b").output
    assert "+0.500" in output
    assert "not compared task by task" in output
    assert "holds several routes: a, b" in str(failure(str(file), "b"))
    assert "no scorecard of route 'c'" in str(failure(f"{file}#c", "b"))
    assert "needs the samples of both sides" in str(failure(f"{file}#a", "b", "--fail-if-worse"))
    assert "1 better" in run(str(runs / "a" / "scorecards.json"), "b").output
    part = tmp_path / "part.json"
    part.write_text(json.dumps({"scorecards": [asdict(replace(a, run_id="part", partial=True))]}))
    assert "part: a part of the suite only" in str(failure(str(part), "b"))
    part.write_text("{")
    assert "part.json: not a list of scorecards" in str(failure(str(part), "b"))


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[Scorecard]]]:
    cards: list[Scorecard] = []

    def answer(path: str, _: object) -> tuple[int, bytes]:
        assert path == "/v1/scorecards"
        return 200, Snapshot(1, tuple(cards)).encode()

    with json_server(answer) as url:
        yield f"{url}/v1", cards


def test_routes_of_a_gateway(runs: Path, gateway: tuple[str, list[Scorecard]]) -> None:
    base_url, cards = gateway
    a = write_run(runs, "run-a", tasks("10"), route="a")
    b = write_run(runs, "run-b", tasks("11"), route="b")
    older = replace(a, revision="older", run_id="r0", measured_at="2026-02-01T00:00:00Z")
    elsewhere = replace(b, suite="elsewhere", run_id="r9")
    cards += [a, b, older, elsewhere]
    options = ("--base-url", base_url)
    (found,) = json.loads(run("a", "b", "--json", *options).output)["comparisons"]
    assert (found["suite"], len(found["paired"]["better"])) == ("s+", 1)
    (found,) = json.loads(run("a#older", "a", "--json", *options).output)["comparisons"]
    assert (found["before"]["run_id"], found["paired"]) == ("r0", None)
    assert "'none' is no run, no file, and no route" in str(failure("none", "a", *options))
    cards[:] = [replace(a, suite="x", run_id="../x"), elsewhere, replace(b, suite="y", run_id="y")]
    assert "they have no suite in common: x in python before" in str(failure("a", "b", *options))


def test_what_is_not_compared_is_said(runs: Path, gateway: tuple[str, list[Scorecard]]) -> None:
    base_url, cards = gateway
    a, b = (write_run(runs, f"run-{route}", tasks("10"), route=route) for route in ("a", "b"))
    part = replace(b, run_id="part", partial=True, measured_at="2026-04-01T00:00:00+00:00")
    older_part = replace(a, run_id="old-part", partial=True, measured_at="2026-01-01T00:00:00+00:00")
    cards += [a, b, part, older_part, replace(b, suite="elsewhere", run_id="r9")]
    options = ("a", "b", "--base-url", base_url)
    assert json.loads(run(*options, "--json").output)["left_out"] == [
        "elsewhere in python: only B was measured there",
        "B's run part: newer, but only a part of s+ in python; name the run to compare it",
    ]
    words = " ".join(run(*options).output.split())
    assert "left out: elsewhere in python: only B was measured there" in words and "old-part" not in words
    assert "- left out: B's run part: newer" in run(*options, "--markdown").output
    assert json.loads(run("run-a", "run-b", "--json").output)["left_out"] == []


def test_a_policys_run_is_one_measurement_whoever_answered(runs: Path) -> None:
    write_run(runs, "pinned", tasks("10"))
    write_run(runs, "policy", tasks("11"))
    with RunFolder(runs / "policy") as folder:
        document: dict[str, Any] | None = folder.read("scorecards.json")
        assert document is not None
        (card,) = document["scorecards"]
        folder.write("scorecards.json", {"scorecards": [{**card, "route": "x"}, {**card, "route": "y"}]})
    assert "1 better, 0 worse, 1 alike" in " ".join(run("pinned", "policy").output.split())


def test_languages_are_compared_each_for_itself_and_together(runs: Path) -> None:
    for run_id, verdict in (("a", Status.PASS), ("b", Status.FAIL)):
        with RunFolder(runs / run_id) as folder:
            cards = []
            target = {"name": run_id, "kind": "route", "revision": "1", "is_gateway": True}
            manifest = {"run_id": run_id, "suite": "s", "suite_hash": "c0", "target": target, "samples": 1}
            manifest |= {"limits": {"concurrency": [1]}, "sampling": {}, "partial": False, "command": "replay"}
            folder.write("manifest.json", manifest)
            tallies = {language: Tally() for language in ("go", "rust", "all")}
            for number in range(12):
                for language in ("go", "rust"):
                    at = "2026-03-01T00:00:00+00:00"
                    sample = Sample(f"{language}/{number}", 0, at, 1, answer="x", language=language)
                    outcome = Outcome(sample.task_id, 0, verdict if language == "go" and number < 6 else Status.PASS)
                    folder.samples.append(sample)
                    folder.outcomes.append(outcome)
                    tallies[language].add(sample, outcome)
                    tallies["all"].add(sample, outcome)
            for language, tally in tallies.items():
                group = Group(run_id, "1", language)
                cards.append(scorecard(Subject(run_id, "s", "c0", 1), group, tally, manifest, partial=False))
            folder.write("scorecards.json", {"scorecards": [asdict(card) for card in cards]})
    found = {each["before"]["language"]: each for each in json.loads(run("a", "b", "--json").output)["comparisons"]}
    assert list(found) == ["go", "rust", "all"]
    go, rust, together = (found[language]["paired"] for language in found)
    assert (go["p_value"], go["p_holm"], go["languages"]) == (2 / 64, 4 / 64, 2)
    assert (rust["p_value"], rust["p_holm"]) == (1, 1)
    assert (together["test"], together["tasks"], together["p_holm"]) == ("paired cluster bootstrap", 24, None)
    assert together["p_value"] == pytest.approx(2 / 64, abs=0.01)
    assert "p = 0.031 (exact McNemar test, two-sided), p = 0.062 by Holm over 2 languages" in " ".join(
        run("a", "b").output.split()
    )
    assert "change of pass@1 over these tasks: -0.500" in " ".join(run("a", "b").output.split())
