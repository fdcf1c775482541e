"""`policy train` where something is missing: what to do is said, with the exit code that says whose turn it is."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import cli
from gateway.cli.failure import Failure
from tests.fixtures.learnable import Learnable, learnable


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Learnable:
    monkeypatch.setenv("WEIGHBRIDGE_STATE_DIR", str(tmp_path / "state"))
    return learnable(tmp_path, 60)


def train(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["policy", "train", *map(str, words)])


def failure(result: Result) -> Failure:
    assert isinstance(result.exception, Failure), result.output
    return result.exception


def test_without_torch_the_extra_is_named(made: Learnable, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\ncat >/dev/null; echo \"ModuleNotFoundError: No module named 'torch'\" >&2; exit 1\n")
    python.chmod(0o755)
    out = tmp_path / "learned.json"
    found = failure(train(made.small, made.large, "--suite", made.suite, "--python", python, "--out", out))
    assert found.exit_code == 3
    assert str(found).startswith(
        f"fitting needs torch, and {python} has no torch: pip install weighbridge[learned], or"
    )
    assert not out.exists()


def test_what_was_named_wrongly_is_said(made: Learnable) -> None:
    unknown = failure(train("nowhere", made.small))
    assert unknown.exit_code == 2 and str(unknown).startswith("nowhere is no run: name its id or its folder; `ls ")
    worthless = failure(train(made.small, made.large, "--suite", made.suite, "--solved-usd", "0"))
    assert worthless.exit_code == 2 and "--solved-usd 0: write what a solved request is worth" in str(worthless)
    other = failure(train(made.small, made.large))
    assert other.exit_code == 2 and "asked mixed, which is not among the suites: name its file with --suite" in str(
        other
    )
    alone = failure(train(made.small, "--suite", made.suite))
    assert alone.exit_code == 2 and "two routes or more are needed" in str(alone)


def test_a_run_that_is_not_finished_is_waited_for(made: Learnable) -> None:
    (made.large / "scorecards.json").unlink()
    found = failure(train(made.small, made.large, "--suite", made.suite))
    assert found.exit_code == 3 and f"the run in {made.large} is not finished" in str(found)
