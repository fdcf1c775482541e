"""Asks a running gateway, for the commands that show what it knows."""

import os
from collections.abc import Callable, Mapping
from typing import Any

import click
import httpx

from gateway.cli.failure import ConfigFailure, Failure, MissingFailure

_KEY = "WEIGHBRIDGE_API_KEY"
_ADMIN_KEY = "WEIGHBRIDGE_ADMIN_KEY"
DEFAULT_BASE_URL = "http://127.0.0.1:8080/v1"

base_url_option: Callable[[Any], Any] = click.option(
    "--base-url",
    default=DEFAULT_BASE_URL,
    show_default=True,
    metavar="URL",
    help="A running gateway. Its key is taken from WEIGHBRIDGE_API_KEY.",
)


def get_json(base_url: str, path: str, params: Mapping[str, Any] | None = None) -> Any:
    """The decoded answer to `GET base_url/path`; raises a Failure that says what to do."""
    return _ask("GET", base_url, path, params=params)


def post_json(base_url: str, path: str, content: object, params: Mapping[str, Any] | None = None) -> Any:
    """The same for `POST base_url/path`."""
    return _ask("POST", base_url, path, json=content, params=params)


def administer(method: str, base_url: str, path: str, **content: Any) -> Any:
    """The same for the admin API, which is beside ``/v1`` and has a key of its own."""
    return _ask(method, base_url.rstrip("/").removesuffix("/v1"), f"admin/{path}", _ADMIN_KEY, **content)


def _ask(method: str, base_url: str, path: str, key_from: str = _KEY, **content: Any) -> Any:
    key = os.environ.get(key_from)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    url = f"{base_url.rstrip('/')}/{path}"
    try:
        response = httpx.request(method, url, headers=headers, timeout=30, **content)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        advice = "start one with `weighbridge serve --config FILE`, or name it with --base-url"
        raise MissingFailure(f"no gateway answers at {base_url} ({error}); {advice}") from error
    if not response.is_success:
        raise _refusal(response, base_url, key_from)
    try:
        return response.json()
    except ValueError as error:
        raise MissingFailure(f"{url} answers, but not with JSON: is this a Weighbridge gateway?") from error


def where_it_is(base_url: str) -> str:
    """What to add to a refusal, where the path that every gateway has was forgotten; else nothing."""
    return "" if httpx.URL(base_url).path.strip("/") else f"; write --base-url {base_url.rstrip('/')}/v1"


def _refusal(response: httpx.Response, base_url: str, key_from: str) -> Failure:
    said = _message(response)
    if response.status_code in (401, 403):
        return ConfigFailure(f"{base_url} refuses the key: {said}; set {key_from} to the gateway's own")
    if response.status_code in (400, 404, 422) and key_from == _ADMIN_KEY:
        return ConfigFailure(f"{base_url}: {said}")
    if response.status_code in (400, 404, 422):
        return ConfigFailure(f"{base_url}: {said}{where_it_is(base_url)}")
    return MissingFailure(f"{base_url} answers {response.status_code}: {said}")


def _message(response: httpx.Response) -> str:
    """The message of an error in OpenAI's shape, or the beginning of whatever came instead."""
    try:
        message = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = response.text
    return str(message)[:500] or response.reason_phrase
