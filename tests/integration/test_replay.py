"""`weighbridge replay` as people run it: the installed command, a gateway on a real socket, the real sandbox."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evaluator.suites import load_suite
from evaluator.suites.load import BUILTIN as BUILTIN_FOLDER
from tests.contract_gateway import ContractGateway, Status

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
]

WEIGHBRIDGE = Path(sys.executable).with_name("weighbridge")
SUITE = str(BUILTIN_FOLDER / "python.jsonl")
BUILTIN = {task.prompt: task for task in load_suite(SUITE).tasks}


def _right(message: str) -> str:
    [task] = [task for prompt, task in BUILTIN.items() if prompt in message]
    return f"Here you are:\n\n```python\n{task.canonical_solution}```\n"


def _wrong(message: str) -> str:
    [task] = [task for prompt, task in BUILTIN.items() if prompt in message]
    return f"```python\n{task.wrong_solutions[0]}```"


@pytest.fixture
def gateway() -> Iterator[ContractGateway]:
    with ContractGateway(answer=_right).running() as running:
        yield running


def _start(gateway: ContractGateway, state: Path, *arguments: str, key: str = "") -> subprocess.Popen[str]:
    command = [str(WEIGHBRIDGE), "replay", SUITE, "--base-url", gateway.base_url, *arguments]
    environment = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(state), "WEIGHBRIDGE_API_KEY": key}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _replay(gateway: ContractGateway, state: Path, *arguments: str, key: str = "") -> tuple[int, str, str]:
    process = _start(gateway, state, *arguments, key=key)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err


def _json(gateway: ContractGateway, state: Path, *arguments: str) -> dict[str, Any]:
    code, out, err = _replay(gateway, state, "--json", *arguments)
    assert code == 0, err
    document: dict[str, Any] = json.loads(out)
    return document


def _asked(gateway: ContractGateway) -> int:
    return sum(gateway.asked.values())


def test_a_whole_run_is_scored_posted_and_reported_again_without_asking(
    gateway: ContractGateway, tmp_path: Path
) -> None:
    code, out, err = _replay(gateway, tmp_path, "--route", "llama", "--samples", "2")
    assert code == 0, err
    assert len(out.splitlines()) <= 10
    assert "pass@1   1.000" in out and "n = 16 tasks" in out and "32 = 32 scored (32 pass)" in out
    assert "/32 samples | pass@1" in err
    [card] = gateway.posted
    assert (card["route"], card["revision"], card["suite"], card["language"]) == (
        "llama",
        "aaaabbbbcccc",
        "python",
        "python",
    )
    assert (card["asked"], card["tasks"], card["pass_at_1"], card["partial"]) == (32, 16, 1.0, False)
    assert card["manifest"]["command"] in out and card["manifest"]["host"]["cpus"] == os.cpu_count()
    assert set(gateway.asked.values()) == {2}

    code, again, err = _replay(gateway, tmp_path, "--route", "llama", "--samples", "2")
    assert code == 0, err
    assert "nothing was asked" in again and "pass@1   1.000" in again
    assert _asked(gateway) == 32
    assert gateway.posted[1] == card

    document = _json(gateway, tmp_path, "--route", "llama", "--samples", "2", "--new-run")
    assert _asked(gateway) == 64
    assert document["run_id"].endswith(".2")
    [folder, other] = sorted((tmp_path / "replays").iterdir())
    names = {"manifest.json", "samples.jsonl", "verdicts.jsonl", "scorecards.json"}
    assert {path.name for path in folder.iterdir()} == {path.name for path in other.iterdir()} == names


def test_killed_half_way_it_goes_on_and_asks_no_stored_sample_twice(gateway: ContractGateway, tmp_path: Path) -> None:
    gateway.hold_after = 20
    process = _start(gateway, tmp_path, "--route", "llama", "--concurrency", "4")
    while _asked(gateway) < 24:  # four of them wait
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    [folder] = (tmp_path / "replays").iterdir()
    lines = (folder / "samples.jsonl").read_bytes().split(b"\n")
    stored = {(row["task_id"], row["sample"]) for row in map(json.loads, lines[:-1])}
    assert 0 < len(stored) < 48
    with (folder / "samples.jsonl").open("ab") as file:  # a line torn by the kill
        file.write(b'{"task_id":"python/order_qu')
    before = _asked(gateway)
    gateway.hold_after = None

    document = _json(gateway, tmp_path, "--route", "llama", "--concurrency", "4")
    summary = document["summary"]
    assert _asked(gateway) - before == 48 - len(stored) == summary["asked_now"]
    assert (summary["asked"], summary["scored"], summary["pass_at_1"], summary["tasks"]) == (48, 48, 1.0, 16)
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert len({(row["task_id"], row["sample"]) for row in rows}) == len(rows) == 48
    assert not gateway.posted[0]["partial"]


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(gateway: ContractGateway, tmp_path: Path) -> None:
    gateway.delay_s = 0.3
    process = _start(gateway, tmp_path, "--route", "llama", "--concurrency", "2")
    while _asked(gateway) < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (130, "")
    assert "the same command resumes" in err and "Traceback" not in err


def test_wrong_solutions_score_nothing(gateway: ContractGateway, tmp_path: Path) -> None:
    gateway.answer = _wrong
    summary = _json(gateway, tmp_path, "--route", "llama", "--samples", "1")["summary"]
    assert (summary["pass_at_1"], summary["scored"]) == (0.0, 16)


def test_answers_without_code_and_routes_without_answers_are_counted_apart(
    gateway: ContractGateway, tmp_path: Path
) -> None:
    gateway.answer = lambda message: "I cannot do that." if "def parse_roman" in message else _right(message)
    gateway.fault = lambda message, before: Status(503, {"retry-after": "0"}) if "def wrap_text" in message else None
    document = _json(gateway, tmp_path, "--route", "llama", "--samples", "1", "--retries", "1")
    [card] = document["scorecards"]
    assert (card["asked"], card["scored"], card["no_answer"], card["unscorable"]) == (16, 15, 1, 0)
    assert card["statuses"] == {"pass": 14, "no_code": 1, "no_answer": 1}
    assert document["summary"]["pass_at_1"] == pytest.approx(14 / 15)


def test_a_slice_is_partial_and_posted_only_on_request(gateway: ContractGateway, tmp_path: Path) -> None:
    slice_ = ("--route", "llama", "--limit", "3", "--seed", "5", "--samples", "1")
    code, out, err = _replay(gateway, tmp_path, *slice_)
    assert code == 0, err
    assert "PARTIAL, 3 tasks drawn with seed 5" in out and "--limit 3 --seed 5" in out
    assert gateway.posted == [] and _asked(gateway) == 3
    assert _json(gateway, tmp_path, *slice_, "--post")["scorecards"][0]["partial"]
    assert [card["partial"] for card in gateway.posted] == [True] and _asked(gateway) == 3


def test_a_policys_routes_are_shown_apart_and_not_posted(gateway: ContractGateway, tmp_path: Path) -> None:
    gateway.route = lambda message: "llama" if "def parse" in message else "mixtral"
    code, out, err = _replay(gateway, tmp_path, "--policy", "auto", "--samples", "1")
    assert code == 0, err
    assert "llama 1.000 of 2" in out and "mixtral 1.000 of 14" in out
    assert gateway.posted == []


def test_an_endpoint_that_is_no_gateway_can_be_weighed(tmp_path: Path) -> None:
    with ContractGateway(answer=_right, is_gateway=False).running() as plain:
        code, out, err = _replay(plain, tmp_path, "--route", "some-model", "--limit", "2", "--samples", "1")
    assert code == 0, err
    assert "revision unknown" in out and "cost     unknown" in out and "no Weighbridge gateway" in out


def test_refusals_end_the_run_in_the_gateways_words(gateway: ContractGateway, tmp_path: Path) -> None:
    code, _, err = _replay(gateway, tmp_path, "--route", "lama")
    assert code == 2 and "'lama' is not served there; it offers: llama, mixtral, auto" in err
    gateway.key = "right"
    code, _, err = _replay(gateway, tmp_path, "--route", "llama", key="wrong")
    assert code == 2 and "wrong key, write the right one" in err
    code, _, err = _replay(gateway, tmp_path, "--route", "llama", "--limit", "1", key="right")
    assert code == 0, err


def test_a_base_url_that_was_cut_short_is_told_before_a_run_begins(gateway: ContractGateway, tmp_path: Path) -> None:
    gateway.base_url = gateway.base_url.removesuffix("/v1")
    code, _, err = _replay(gateway, tmp_path, "--route", "llama")
    assert code == 2 and f"write --base-url {gateway.base_url}/v1" in err
    assert not (tmp_path / "replays").exists()


def test_a_run_in_which_nothing_was_scored_is_no_scorecard(gateway: ContractGateway, tmp_path: Path) -> None:
    gateway.fault = lambda message, before: Status(400)
    code, out, err = _replay(gateway, tmp_path, "--route", "llama", "--samples", "1")
    assert code == 0, err
    assert "not posted: no sample was scored" in out and gateway.posted == []


def test_a_missing_gateway_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = ContractGateway(answer=_right, base_url=f"http://127.0.0.1:{unused.getsockname()[1]}/v1")
        code, out, err = _replay(nobody, tmp_path, "--route", "llama")
    assert (code, out) == (3, "")
    assert "no gateway answers at" in err and "weighbridge serve" in err


def test_a_missing_sandbox_is_told_before_anything_is_asked(gateway: ContractGateway, tmp_path: Path) -> None:
    command = [str(WEIGHBRIDGE), "replay", SUITE, "--route", "llama", "--base-url", gateway.base_url]
    environment = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(tmp_path), "PATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 3 and "apt-get install bubblewrap" in done.stderr
    assert _asked(gateway) == 0


def test_a_gateway_without_room_for_scorecards_is_told_after_the_result(
    gateway: ContractGateway, tmp_path: Path
) -> None:
    gateway.takes_scorecards = False
    code, out, err = _replay(gateway, tmp_path, "--route", "llama", "--samples", "1")
    assert code == 3
    assert "pass@1   1.000" in out and "NOT posted: 503: no room" in out
    assert "the same command hands them over" in err
    gateway.takes_scorecards = True
    code, out, err = _replay(gateway, tmp_path, "--route", "llama", "--samples", "1")
    assert code == 0 and len(gateway.posted) == 1 and _asked(gateway) == 16, err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "either --route NAME or --policy NAME"),
        (("--route", "a", "--policy", "b"), "either --route NAME or --policy NAME"),
        (("--route", "llama", "--samples", "0"), "--samples"),
        (("--route", "llama", "--base-url", "localhost"), "no HTTP URL"),
        (("--route", "llama", "--base-url", "http://user:pass@localhost/v1"), "WEIGHBRIDGE_API_KEY"),
    ],
)
def test_a_wrong_command_line_says_what_to_write(
    gateway: ContractGateway, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    code, _, err = _replay(gateway, tmp_path, *arguments)
    assert code == 2 and told in err
