"""Secrets come from the environment or the file and are shown to nobody; code that nobody knows is pointed out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.processes.startup_code import package_folders, unknown_startup_code
from tests.fixtures.canary import PROMPT, Search
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway
from tests.fixtures.keys import ADMIN_KEY, KEYS, OWN_KEY, Admin

SECRET = "canary-config-secret-93f0"


def weighbridge(*arguments: object, **environment: str) -> str:
    """All that the command prints."""
    env = {**os.environ, **environment}
    done = subprocess.run([WEIGHBRIDGE, *map(str, arguments)], capture_output=True, text=True, env=env, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "broken",
    [
        "api_key: ${A_SECRET}\nroutes: {small: {backend: vllm, replicas: [http://x:1], api_key: $A_SECRET}, x: 7}",
        "api_key: [${A_SECRET}]",
        "routes: {small: {backend: vllm, replicas: ['http://user:${A_SECRET}@x:1'], api_key: '${A_SECRET}'}}",
        "routes: {small: {backend: '${A_SECRET}'}}",
        "keys: {admin_key: '${A_SECRET}', secret: '${A_SECRET}'}",
        "cache: {url: 'redis://:${A_SECRET}@x:y'}",
        "telemetry: {otlp_endpoint: 'http://user:${A_SECRET}@x'}",
        "routes: {small: {backend: vllm, replicas: [http://x:1], headers: {authorization: ['${A_SECRET}']}}}",
    ],
)
def test_no_message_about_a_configuration_shows_what_a_variable_holds(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "weighbridge.yaml"
    path.write_text(broken)
    for arguments in (("config", "check", path), ("config", "check", path, "--json"), ("serve", "--config", path)):
        if arguments[0] == "config" or "x: 7" in broken:  # the others would serve
            assert SECRET not in weighbridge(*arguments, A_SECRET=SECRET)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system ['id']", "!!python/name:os.system", "!custom x"])
def test_a_tag_of_yaml_makes_nothing(tmp_path: Path, tag: str) -> None:
    path = tmp_path / "weighbridge.yaml"
    path.write_text(f"routes:\n  small: {{backend: recorded, recording: x.jsonl}}\naliases: {tag}\n")
    said = weighbridge("config", "check", path)
    assert ":3:" in said, said
    assert "uid=" not in said


def test_no_process_shows_a_secret_in_its_command_line(guarded: Gateway) -> None:
    for pid in (guarded.process.pid, *guarded.children()):
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        for secret in (OWN_KEY, ADMIN_KEY, KEYS["secret"]):
            assert secret.encode() not in line


def test_files_with_keys_are_their_users_only(guarded: Gateway) -> None:
    Admin(guarded).create("files")
    holding = [path for path in guarded.state_dir.rglob("*") if path.is_file() and "keys" in path.name]
    assert holding
    assert all(path.stat().st_mode & 0o077 == 0 for path in holding)


@pytest.mark.parametrize("evil", ["\x1b[2J\x1b[31mroot\x1b[0m", "a\nlevel=error fake", "\u202egnol", "<script> x"])
def test_what_clients_write_makes_no_log_line_of_its_own(guarded: Gateway, evil: str) -> None:
    before = len(guarded.log.read_bytes())
    answers = [
        guarded.chat(model=evil),
        guarded.chat(prompt_cache_key=evil),
        guarded.chat("hi", user=evil),
        guarded.http.get("/v1/requests", params={"session": evil}),
        guarded.http.get(f"/{evil.encode().hex()}"),
    ]
    session = answers[1].headers["x-weighbridge-request-id"]
    assert guarded.ledger(session)["session"].startswith("blake2b:")
    written = guarded.log.read_bytes()[before:]
    assert b"\x1b" not in written
    for line in written.splitlines():
        if line.startswith(b"{"):
            assert json.loads(line)["message"] != "fake"
        assert not line.startswith(b"level=")
    for answer in answers:
        assert "<script" not in answer.text or answer.headers["content-type"].startswith("application/json")


def test_unknown_code_at_start_is_found(tmp_path: Path) -> None:
    (tmp_path / "paths.pth").write_text("/somewhere\n")
    (tmp_path / "distutils-precedence.pth").write_text("import os; os.system('id')\n")
    (tmp_path / "litellm_init.pth").write_text("import subprocess; subprocess.Popen(['id'])\n")
    found = [file.name for file in unknown_startup_code([tmp_path])]
    assert found == ["distutils-precedence.pth", "litellm_init.pth"]


def test_this_environment_runs_none() -> None:
    assert list(unknown_startup_code(package_folders())) == []


def test_doctor_points_it_out(tmp_path: Path) -> None:
    """In an environment of its own that sees this one's packages, and has one file more."""
    python = tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    packages = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    here = next(path for path in package_folders() if (path / "fastapi").exists())
    (packages / "ours.pth").write_text(f"{here}\n{Path.cwd()}\n")
    (packages / "stealer.pth").write_text("import sys\n")
    code = "from gateway.cli.doctor import _startup_code as check; print(check())"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "ok=False" in said
    assert "stealer.pth" in said


def test_the_search_after_the_run_would_find_them(tmp_path: Path) -> None:
    search = Search()
    search.for_secrets("canary-key-1234", "short", None)
    search.over(tmp_path)
    (tmp_path / "fine").write_text("short")
    assert list(search.found()) == []
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "store.db").write_bytes(b"\0\1" + PROMPT.encode() + b"\0canary-key-1234")
    search.heard("an error", b"a key: canary-key-1234")
    assert len(list(search.found())) == 3
