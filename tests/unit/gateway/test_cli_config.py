import json
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from gateway.cli.config import command
from gateway.cli.failure import ConfigFailure

GOOD = "routes: {small: {backend: vllm, model: m, replicas: [http://h:8000]}}\naliases: {gpt-4o: auto}\n"


def test_check_names_what_a_good_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD)
    result = CliRunner().invoke(command, ["check", str(path)])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"{path}: ok",
        "  routes    small",
        "  policies  auto",
        "  aliases   gpt-4o -> auto",
    ]


def test_check_as_json_gives_problems_by_line_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD + "polices: {}\nserver: {port: x}\n")
    result = CliRunner().invoke(command, ["check", str(path), "--json"])
    assert isinstance(result.exception, ConfigFailure)
    found = json.loads(result.output)
    assert found["ok"] is False
    assert [(problem["line"], problem["key"]) for problem in found["problems"]] == [(3, "polices"), (4, "server.port")]
    assert found["problems"][0]["fix"] == "did you mean 'policies'?"


def test_check_as_json_lists_warnings_of_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    route = "{backend: vllm, model: m, replicas: [http://h]}"
    path.write_text(f"routes:\n  a: {route}\n  b: {route}\n")
    found = json.loads(CliRunner().invoke(command, ["check", str(path), "--json"]).output)
    assert found["ok"] is True and found["routes"] == ["a", "b"]
    assert [warning["key"] for warning in found["warnings"]] == ["routes.a", "routes.b"]


def test_the_command_exits_with_2_and_says_line_and_fix(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD + "polices: {}\n")
    weighbridge = Path(sys.executable).parent / "weighbridge"
    done = subprocess.run([weighbridge, "config", "check", path], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.splitlines() == [
        f"{path}:3: polices: unknown key; did you mean 'policies'?",
        f"weighbridge: 1 problem in {path}",
    ]
