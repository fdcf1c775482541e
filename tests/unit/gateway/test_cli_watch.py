"""What `weighbridge watch` says where it cannot watch, and how it shows the audit."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.watch import command
from gateway.cli.watch_history import history
from gateway.cli.watch_run import Options, watched
from gateway.config import ConfigError, load_config
from gateway.config.watching import Watch
from tests.fixtures.json_server import json_server

ROW = {
    "route": "small",
    "revision": "r1",
    "suite": "builtin",
    "language": None,
    "at_least": 0.8,
    "confidence": 0.95,
    "before": "admitted",
    "state": "demoted",
    "at": "2026-11-23T10:00:00.000+00:00",
    "reason": "pass@1 on builtin >= 0.8: its upper bound 0.712 is below 0.8",
    "run_id": "watch-builtin-small-1",
    "low": 0.5214,
    "high": 0.7119,
    "tasks": 43,
    "failing": ["python/parse_roman", "python/run_lengths"],
}


@pytest.mark.parametrize(
    ("suites", "webhook", "failure", "said"),
    [
        (["builtin:python"], "file:///etc/passwd", ConfigFailure, "is no HTTP URL"),
        (["builtin:python"], "http://h:x", ConfigFailure, "is no URL"),
        (["builtin:python", "builtin:rust"], None, ConfigFailure, "two of the suites are called builtin"),
        (["builtin:klingon"], None, ConfigFailure, "the built-in suite has no 'klingon'"),
        (["builtin:python"], None, MissingFailure, "no gateway answers"),
    ],
)
async def test_who_cannot_watch_is_told_what_to_do(
    suites: list[str],
    webhook: str | None,
    failure: type[Failure],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEIGHBRIDGE_STATE_DIR", str(tmp_path))
    options = Options(
        suites=tuple(suites),
        base_url="http://127.0.0.1:9/v1",
        usd_per_day=None,
        draws=1,
        every_s=0.01,
        rest_s=1,
        rounds=1,
        seed=0,
        temperature=0.2,
        top_p=0.95,
        max_tokens=100,
        timeout=10,
        webhook=webhook,
        packages=None,
        kind="bubblewrap",
    )
    with pytest.raises(failure, match=said):
        await watched(options)


def test_without_a_suite_nothing_is_watched() -> None:
    error = CliRunner().invoke(command, []).exception
    assert isinstance(error, ConfigFailure) and "name the suites" in str(error)


def test_the_audit_is_shown_with_reason_bounds_failing_tasks_and_run() -> None:
    def answer(path: str, headers: Mapping[str, str]) -> tuple[int, object]:
        assert path == "/v1/admissions?limit=7"
        return 200, {"admissions": [ROW]}

    with json_server(answer) as url:
        shown = history(f"{url}/v1", 7, as_json=False)
    assert shown.splitlines() == [
        "2026-11-23T10:00:00.000+00:00  small, revision r1: admitted -> demoted",
        "  why      pass@1 on builtin >= 0.8: its upper bound 0.712 is below 0.8",
        "  bounds   [0.521, 0.712] at 95%, 43 draws",
        "  run      watch-builtin-small-1",
        "  failing  python/parse_roman, python/run_lengths",
    ]


def test_an_empty_audit_and_another_server_are_told_apart() -> None:
    with json_server(lambda path, headers: (200, {"admissions": []})) as url:
        assert "nothing was decided yet" in history(f"{url}/v1", 20, as_json=False)
    with json_server(lambda path, headers: (200, {"data": []})) as url, pytest.raises(MissingFailure):
        history(f"{url}/v1", 20, as_json=False)


def test_the_section_becomes_the_commands_arguments(tmp_path: Path) -> None:
    path = tmp_path / "weighbridge.yaml"
    section = "{suites: [builtin:python, own.jsonl], usd_per_day: 2.5, rest_s: 30, webhook: '${HOOK}'}"
    path.write_text(f"routes: {{a: {{backend: vllm, model: m, replicas: [http://h]}}}}\nwatch: {section}\n")
    (tmp_path / "own.jsonl").touch()
    watch = load_config(path, {"HOOK": "https://hooks.example.com/secret"}).watch
    arguments = ("builtin:python", str(tmp_path / "own.jsonl"), "--usd-per-day=2.5", "--rest=30.0")
    assert watch == Watch(arguments, "https://hooks.example.com/secret")
    assert "secret" not in repr(watch)
    path.write_text("routes: {a: {backend: vllm, model: m, replicas: [http://h]}}\n")
    assert load_config(path, {}).watch is None


def test_a_suite_that_is_not_there_and_no_webhook_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "weighbridge.yaml"
    path.write_text(
        "routes: {a: {backend: vllm, model: m, replicas: [http://h]}}\n"
        "watch:\n  suites: [builtin, gone.jsonl]\n  webhook: file:///etc/passwd\n"
    )
    with pytest.raises(ConfigError) as raised:
        load_config(path, {})
    said = [(problem.line, problem.message) for problem in raised.value.problems]
    assert said == [(3, f"no such file: {tmp_path / 'gone.jsonl'}"), (4, "not an HTTP address")]
