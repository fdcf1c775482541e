"""`policy simulate` beside the gateway that writes the ledger."""

import json
import os
import subprocess

from tests.fixtures.gateway import WEIGHBRIDGE, Serve, vllm_route
from tests.fixtures.upstream import Upstream, says


def test_a_running_gateways_ledger_is_decided_anew(serve: Serve, upstream: Upstream) -> None:
    upstream.behaviour = says("fine")
    cheap, dear = ({"price": {"input": price, "output": price}} for price in (1, 5))
    routes = {"cheap": vllm_route(upstream.url, **cheap), "dear": vllm_route(upstream.url, **dear)}
    routes["dear"]["licence"] = "mit"
    policies = {"now": {"require": {"licence": "mit"}}, "best": {"objective": "cheapest"}}
    gateway = serve({"routes": routes, "policies": policies})
    asked = [gateway.chat(f"{n} in ```rust", model="now") for n in range(3)]
    asked.append(gateway.chat("pinned", model="dear"))
    rows = [gateway.ledger(answer.headers["x-weighbridge-request-id"]) for answer in asked]
    config = gateway.log.parent / "weighbridge.yaml"
    command = [str(WEIGHBRIDGE), "policy", "simulate", "--config", str(config), "--policy", "best", "--json"]
    environment = {**os.environ, "WEIGHBRIDGE_STATE_DIR": str(gateway.state_dir)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["requests"], found["decided_anew"], found["moved"]) == (4, 3, 3)
    assert found["left_out"] == {"pinned to a route by its name": 1}
    assert found["before"]["cost_nanousd"] == sum(row["cost_nanousd"] for row in rows[:3]) > 0
    assert found["after"]["cost_nanousd"] * 5 == found["before"]["cost_nanousd"]
