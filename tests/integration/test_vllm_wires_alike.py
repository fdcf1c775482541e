"""`replay --wire chat,responses,messages` through the gateway to real vLLM, which speaks all three."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from evaluator.suites.load import BUILTIN
from tests.fixtures.gateway import WEIGHBRIDGE, Serve, vllm_route
from tests.fixtures.vllm import VllmServer


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)")
def test_real_vllm_answers_every_wire_and_is_billed_for_each(serve: Serve, vllm_server: VllmServer) -> None:
    gateway = serve({"routes": {"small": vllm_route(vllm_server.base_url, model=vllm_server.model)}})
    command = [str(WEIGHBRIDGE), "replay", str(BUILTIN / "python.jsonl"), "--route", "small", "--limit", "3"]
    command += ["--wire", "chat,responses,messages", "--samples", "1", "--temperature", "0", "--max-tokens", "64"]
    command += ["--concurrency", "1", "--base-url", f"{gateway.url}/v1", "--json"]
    environment = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["alike"] and list(found["wires"]) == ["chat", "responses", "messages"]
    results = {wire: told["result"] for wire, told in found["wires"].items()}
    for wire, result in results.items():
        summary = result["summary"]
        assert (summary["asked"], summary["no_answer"], summary["cost_unknown"]) == (3, 0, 0), (wire, summary["errors"])
        assert summary["cost_nanousd"] > 0
    asked = {wire: _tokens_in(Path(result["folder"])) for wire, result in results.items()}
    assert asked["chat"] == asked["responses"] == asked["messages"], "each wire gave the model the same prompt"


def _tokens_in(folder: Path) -> dict[str, int]:
    rows = map(json.loads, (folder / "samples.jsonl").read_text().splitlines())
    return {row["task_id"]: row["input_tokens"] for row in rows}
