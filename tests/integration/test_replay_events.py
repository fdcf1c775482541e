"""What a collector is told of a replay: an event a judged sample, in the trace of the request that it judges."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from evaluator.suites import load_suite
from evaluator.suites.load import BUILTIN
from tests.fixtures.gateway import WEIGHBRIDGE, Gateway, Serve
from tests.fixtures.otlp_receiver import OtlpReceiver

pytestmark = [
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap (apt-get install bubblewrap)"),
    pytest.mark.timeout(600),
]

SUITE = str(BUILTIN / "python.jsonl")


def _replay(gateway: Gateway, endpoint: str) -> "subprocess.CompletedProcess[str]":
    command = [str(WEIGHBRIDGE), "replay", SUITE, "--route", "small", "--samples", "1", "--limit", "4", "--json"]
    environment = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir)}
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_RESOURCE_ATTRIBUTES": "team=a"}
    options = ["--base-url", f"{gateway.url}/v1", "--new-run"]
    return subprocess.run([*command, *options], env=environment, capture_output=True, text=True)


def test_each_judged_sample_is_an_event_in_the_trace_of_its_request(
    serve: Serve, collector: OtlpReceiver, tmp_path: Path
) -> None:
    path = tmp_path / "small.jsonl"
    tasks = load_suite(SUITE).tasks
    answers = [task.wrong_solutions[0] if number % 2 else task.canonical_solution for number, task in enumerate(tasks)]
    rows = [{"prompt": t.prompt, "completion": f"```python\n{a}```"} for t, a in zip(tasks, answers, strict=True)]
    path.write_text("\n".join(map(json.dumps, rows)))
    routes = {"small": {"backend": "recorded", "recording": str(path)}}
    gateway = serve({"routes": routes, "telemetry": {"otlp_endpoint": collector.url}})
    done = _replay(gateway, collector.url)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert len(collector.events) == 4 and {event.name for event in collector.events} == {"gen_ai.evaluation.result"}
    labels = {str(event.attributes["gen_ai.evaluation.score.label"]) for event in collector.events}
    assert labels == set(result["summary"]["statuses"])
    for event in collector.events:
        told = event.attributes
        passed = told["gen_ai.evaluation.score.label"] == "pass"
        assert (told["gen_ai.evaluation.name"], told["gen_ai.evaluation.score.value"]) == ("pass", float(passed))
        assert (told["weighbridge.run.id"], told["weighbridge.suite"]) == (result["run_id"], "python")
        assert (told["weighbridge.route"], told["weighbridge.language"]) == ("small", "python")
        assert event.resource.items() >= {"service.name": "weighbridge-replay", "team": "a"}.items()
        ours, server = sorted(
            collector.wait_for(
                lambda span, trace=event.trace_id: span.trace_id == trace and span.kind != "client",  # type: ignore[misc]
                count=2,
            ),
            key=lambda span: span.kind,
        )
        assert (ours.name, ours.span_id, ours.parent_id) == ("replay python", event.span_id, "")
        assert (server.kind, server.parent_id) == ("server", event.span_id)
        assert server.attributes["weighbridge.request.id"] == told["weighbridge.request.id"]

    gone = _replay(gateway, "http://127.0.0.1:9")
    assert gone.returncode == 0, gone.stderr
    assert "4 evaluation events did not reach the collector at http://127.0.0.1:9/v1/logs" in gone.stderr
