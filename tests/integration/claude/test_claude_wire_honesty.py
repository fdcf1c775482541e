"""`replay --wire chat,responses,messages` through the gateway to Claude, where two of the wires are translated."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from evaluator.suites import load_suite
from evaluator.suites.load import BUILTIN
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway
from tests.fixtures.messages_server import MessagesServer, Says, text

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
]

SUITE = str(BUILTIN / "python.jsonl")
TASKS = load_suite(SUITE).tasks


@pytest.fixture
def solving(messages: MessagesServer) -> Iterator[MessagesServer]:
    """Claude, as far as the suite goes: it knows every second task's solution."""

    def say(body: dict[str, Any]) -> Says:
        content = body["messages"][-1]["content"]
        asked = content if isinstance(content, str) else content[0]["text"]
        [number] = [number for number, task in enumerate(TASKS) if task.prompt in asked]
        task = TASKS[number]
        program = task.canonical_solution if number % 2 else task.wrong_solutions[0]
        return Says(blocks=(text(f"Here:\n\n```python\n{program}```\n"),))

    messages.script = say
    yield messages
    messages.script = None


def test_a_route_to_claude_scores_alike_on_every_wire(gateway: Gateway, solving: MessagesServer) -> None:
    command = [WEIGHBRIDGE, "replay", SUITE, "--route", "claude", "--wire", "chat,responses,messages", "--limit", "6"]
    options = ["--samples", "1", "--base-url", f"{gateway.url}/v1"]
    environment = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir)}

    def run(*more: str) -> str:
        done = subprocess.run([*command, *options, *more], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    found = json.loads(run("--json"))
    assert list(found["wires"]) == ["chat", "responses", "messages"] and found["alike"]
    rates = {wire: told["pass_at_1"] for wire, told in found["wires"].items()}
    assert len(set(rates.values())) == 1 and 0 < rates["chat"] < 1, rates
    assert [(pair["first"], pair["second"], pair["paired"]["p_value"], pair["p_holm"]) for pair in found["pairs"]] == [
        ("chat", "responses", 1.0, 1.0),
        ("chat", "messages", 1.0, 1.0),
        ("responses", "messages", 1.0, 1.0),
    ]
    assert all(pair["paired"]["test"] == "exact McNemar test" for pair in found["pairs"])
    results = [told["result"] for told in found["wires"].values()]
    assert all(result["summary"]["asked"] == 6 and result["summary"]["no_answer"] == 0 for result in results)
    assert all(result["summary"]["cost_nanousd"] > 0 for result in results), "each is billed by the same ledger"
    versions = {received.headers["anthropic-version"] for received in solving.received}
    assert versions == {"2023-06-01"}, "the version that takes the method's temperature, on every wire"
    asked = len(solving.received)
    again = run()
    assert len(solving.received) == asked, "the same command resumes"
    assert "chat and messages: 6 tasks paired: 0 better, 0 worse, 6 alike; p = 1.000" in " ".join(again.split())
    assert "no difference between the wires is shown" in again
