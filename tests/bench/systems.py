"""What is measured: the gateway with everything on, and its peers as their own documentation starts them."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.bench.process import command_line, free_port, tree

API_KEY = "sk-bench"
_KEY_HEADER = f"authorization: Bearer {API_KEY}"
Groups = dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a system runs for one round."""

    folder: Path
    port: int
    upstream: str
    """Base URL of the model server, which is the collector too."""


def _all(name: str) -> Callable[[int], Groups]:
    return lambda pid: {name: tree(pid)}


def _nothing(place: Place) -> None:
    pass


@dataclass(frozen=True, slots=True)
class System:
    """``command`` writes the configuration and gives the command; ``groups`` gives the processes of each row."""

    name: str
    version: str
    command: Callable[[Place], list[str]]
    groups: Callable[[int], Groups]
    ready_path: str = "/health"
    model: str = "m"
    headers: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Place], None] = _nothing
    share: float = 1.0
    """Of the requests; slow systems get fewer."""
    observed: bool = False
    """It sends spans and keeps a ledger, which the run looks at."""
    every_wire: bool = False
    """It is measured on other wires than chat too."""


def weighbridge(*, every_wire: bool = True) -> System:
    return System(
        name="weighbridge",
        version=importlib.metadata.version("weighbridge"),
        command=_weighbridge_command,
        groups=_weighbridge_groups,
        ready_path="/health/ready",
        model="auto",
        headers=(_KEY_HEADER,),
        expected=("x-weighbridge-cache: miss", "x-weighbridge-route: small", "x-weighbridge-policy: auto"),
        env={"WEIGHBRIDGE_API_KEY": API_KEY},
        prepare=_post_scorecard,
        observed=True,
        every_wire=every_wire,
    )


def _weighbridge_command(place: Place) -> list[str]:
    small = {
        "backend": "vllm",
        "model": "m",
        "replicas": [place.upstream],
        "price": {"input": 0.1, "output": 0.2},
        "residency": "self_hosted",
    }
    require = {"residency": "self_hosted", "pass_at_1": {"suite": "humaneval+", "at_least": 0.5}}
    config = {
        "routes": {"small": small},
        "policies": {"auto": {"objective": "cheapest", "require": require}},
        "telemetry": {"otlp_endpoint": place.upstream},
        "state_dir": str(place.folder / "state"),
    }
    path = _write(place, "weighbridge.yaml", json.dumps(config, indent=1))
    return [str(Path(sys.executable).parent / "weighbridge"), "serve", "--config", path, "--port", str(place.port)]


def _weighbridge_groups(pid: int) -> Groups:
    pids = tree(pid)
    workers = [pid for pid in pids if "gateway.processes.worker" in command_line(pid)]
    return {
        "**Weighbridge**, its worker": workers,
        "its parent and Valkey": [pid for pid in pids if pid not in workers],
    }


def _post_scorecard(place: Place) -> None:
    """The evidence that the policy asks for. Raises ``httpx.HTTPError``."""
    tasks, passes = 164, 140
    with httpx.Client(base_url=f"http://127.0.0.1:{place.port}", headers=_auth(), trust_env=False) as http:
        facts = http.get("/v1/models/small").raise_for_status().json()["weighbridge"]
        card = {
            **{"run_id": "bench", "route": "small", "revision": facts["revision"]},
            **{"suite": "humaneval+", "suite_hash": "bench", "language": "python"},
            **{"measured_at": "2026-11-01T00:00:00+00:00", "tasks": tasks, "repetitions": 1, "asked": tasks},
            **{"scored": tasks, "no_answer": 0, "unscorable": 0, "pass_at_1": passes / tasks},
        }
        http.post("/v1/scorecards", json={"scorecards": [card]}).raise_for_status()


def ledger_row(place: Place, request_id: str) -> dict[str, Any] | None:
    """The request's row once it is settled."""
    url = f"http://127.0.0.1:{place.port}/v1/requests/{request_id}"
    answer = httpx.get(url, headers=_auth(), trust_env=False)
    row: dict[str, Any] | None = answer.json() if answer.status_code == 200 else None
    return row if row and row["outcome"] is not None else None


def _auth() -> dict[str, str]:
    return {"authorization": f"Bearer {API_KEY}"}


def nginx(home: Path) -> System:
    program = home / "nginx/usr/sbin/nginx"
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    return System(
        name="nginx",
        version=said.split("nginx/")[1].split()[0],
        command=lambda place: [str(program), "-e", "stderr", "-p", str(place.folder), "-c", _nginx_config(place)],
        groups=_all("nginx"),
    )


def _nginx_config(place: Place) -> str:
    temporary = "".join(
        f"  {kind}_temp_path {place.folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = f"""\
{"user root;" if os.geteuid() == 0 else ""}
daemon off;
worker_processes 1;
pid {place.folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000;
{temporary}\
  upstream model {{ server {place.upstream.removeprefix("http://")}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{place.port};
    location / {{
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
    return _write(place, "nginx.conf", config)


def vllm_router(home: Path) -> System:
    program = str(home / "vllm-router/bin/vllm-router")

    def command(place: Place) -> list[str]:
        quiet = ["--log-level", "warning", "--prometheus-port", str(free_port())]
        return [program, "--port", str(place.port), "--worker-urls", place.upstream, "--policy", "round_robin", *quiet]

    return System(
        name="vllm-router",
        version=_version(home, "vllm-router"),
        command=command,
        groups=_all("vllm-router"),
        env={"PATH": f"{home / 'vllm-router/bin'}:{os.environ['PATH']}"},
    )


def litellm(home: Path) -> System:
    program = str(home / "litellm/bin/litellm")

    def command(place: Place) -> list[str]:
        params = {"model": "openai/m", "api_base": f"{place.upstream}/v1", "api_key": "none"}
        config = {
            "model_list": [{"model_name": "small", "litellm_params": params}],
            "general_settings": {"master_key": API_KEY},
        }
        path = _write(place, "litellm.yaml", json.dumps(config))
        return [program, "--config", path, "--host", "127.0.0.1", "--port", str(place.port)]

    return System(
        name="LiteLLM",
        version=_version(home, "litellm"),
        command=command,
        groups=_all("LiteLLM's proxy"),
        ready_path="/health/readiness",
        model="small",
        headers=(_KEY_HEADER,),
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
        share=0.2,
    )


def _version(home: Path, name: str) -> str:
    packages = next((home / name / "lib").glob("python*")) / "site-packages"
    (found,) = importlib.metadata.distributions(name=name, path=[str(packages)])
    return found.version


def _write(place: Place, name: str, content: str) -> str:
    path = place.folder / name
    path.write_text(content)
    return str(path)
