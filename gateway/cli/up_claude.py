"""A route to Claude for `weighbridge up`, where the environment holds a key for it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import httpx
import yaml

from backends.claude.prices import known_models, litellm_folder
from backends.claude.wire import ADDRESS, VERSION


def with_claude(config: Path, env: Mapping[str, str], into: Path) -> Path:
    """``config`` with a route to the provider's newest Sonnet, written to ``into``; as it is where there can be none.

    The rest is worth starting without it: what stands in the way is said, and no error.
    """
    key = env.get("ANTHROPIC_API_KEY")
    if not key:
        return config
    base_url = env.get("ANTHROPIC_BASE_URL") or ADDRESS
    model = _newest_sonnet(base_url, key)
    if model is None:
        return config
    values = yaml.safe_load(config.read_text())
    values["routes"][model] = {
        "backend": "claude",
        "model": model,
        "base_url": base_url,
        "api_key": "${ANTHROPIC_API_KEY}",
    }
    into.write_text(json.dumps(values, indent=2) + "\n")
    click.echo(f"  using {model} on {base_url}: what it answers is billed to your key")
    return into


def _newest_sonnet(base_url: str, key: str) -> str | None:
    """The newest Sonnet on the provider's list that has a price; None when there is none."""
    if litellm_folder() is None:
        click.echo("  no route to Claude: LiteLLM is not installed (`make run` installs it where there is a key)")
        return None
    headers = {"x-api-key": key, "anthropic-version": VERSION}
    try:
        url = f"{base_url}/v1/models?limit=1000"
        entries = httpx.get(url, headers=headers, timeout=30).raise_for_status().json()["data"]
        sonnets = [entry for entry in entries if _is_served_sonnet(entry)]
        newest = max(sonnets, key=lambda entry: str(entry["created_at"]), default=None)
    except httpx.HTTPStatusError as error:
        click.echo(f"  no route to Claude: {base_url} answered {error.response.status_code} to this ANTHROPIC_API_KEY")
        return None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        click.echo(f"  no route to Claude: {base_url} does not list its models ({error})")
        return None
    if newest is None:
        click.echo(f"  no route to Claude: none of the models on {base_url} is a Sonnet with a known price")
        return None
    return str(newest["id"])


def _is_served_sonnet(entry: Mapping[str, Any]) -> bool:
    return "sonnet" in entry["id"] and entry["id"] in known_models() and entry.get("lifecycle", "active") != "retired"
