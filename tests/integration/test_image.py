"""The gateway's image, really built and really run; the engine, its base and the wheels come from no registry."""

import json
import time
from pathlib import Path

import httpx
import pytest

from backends.vllm_server import free_port
from gateway.cli.vllm_preset import preset_names
from tests.fixtures.docker import Docker
from tests.fixtures.gateway import vllm_route
from tests.fixtures.upstream import Upstream

READY_S = 120


@pytest.fixture
def config(tmp_path: Path, upstream: Upstream) -> Path:
    path = tmp_path / "weighbridge.yaml"
    path.write_text(json.dumps({"routes": {"small": vllm_route(upstream.url)}}))
    path.chmod(0o644)
    return path


def wait_until_ready(docker: Docker, container: str, url: str) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            if httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        logs = docker("logs", container)
        assert time.monotonic() < deadline, logs.stdout + logs.stderr
        time.sleep(0.2)


def test_it_serves_as_nobody_in_particular_and_ends_in_order(docker: Docker, image: str, config: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    mount = f"{config}:/etc/weighbridge/weighbridge.yaml:ro"
    run = ["run", "--detach", "--network", "host", "--volume", mount, "--cap-drop", "ALL", image]
    serve = ["serve", "--config", "/etc/weighbridge/weighbridge.yaml", "--port", str(port)]
    container = docker(*run, *serve).stdout.strip()
    wait_until_ready(docker, container, url)
    body = {"model": "auto", "messages": [{"role": "user", "content": "from a container"}]}
    answer = httpx.post(f"{url}/v1/chat/completions", json=body, timeout=30, trust_env=False).raise_for_status()
    assert answer.json()["choices"][0]["message"]["content"] == "hello there"
    assert docker("exec", container, "id", "-u").stdout.strip() == "10001"
    assert docker("exec", container, "sh", "-c", "touch /opt/weighbridge/x", check=False).returncode != 0
    docker("stop", "--time", "30", container)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", container).stdout.strip() == "0"


def test_the_presets_come_with_the_installed_package(docker: Docker, image: str) -> None:
    listed = docker("run", "--rm", "--network", "none", image, "vllm", "presets", "--json").stdout
    assert set(json.loads(listed)) == set(preset_names())


def test_without_a_configuration_it_says_what_is_missing(docker: Docker, image: str) -> None:
    done = docker("run", "--rm", "--network", "none", image, check=False)
    assert done.returncode == 2
    assert "/etc/weighbridge/weighbridge.yaml" in done.stderr


def test_its_health_check_asks_the_port_that_it_serves(docker: Docker, image: str) -> None:
    facts = json.loads(docker("inspect", image).stdout)[0]["Config"]
    assert facts["User"] == "10001:10001"
    assert list(facts["ExposedPorts"]) == ["8080/tcp"]
    assert "127.0.0.1:8080/health/ready" in " ".join(facts["Healthcheck"]["Test"])
