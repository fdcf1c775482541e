"""`weighbridge policy`: what a running gateway would decide, and why."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import click

from evaluator.figures import dollars, milliseconds, share
from gateway.cli.failure import Failure, MissingFailure
from gateway.cli.gateway_client import base_url_option, get_json
from gateway.cli.table import wrapped

_ALWAYS_ASKED = frozenset({"request_context", "request_language", "available"})
_INDENT = " " * 12


@click.group()
def command() -> None:
    """Ask a running gateway about its policies."""


@command.command()
@click.argument("name")
@click.option("--language", metavar="LANGUAGE", help="Decide for a request about this programming language.")
@click.option("--input-tokens", type=click.IntRange(0), metavar="N", help="Decide for a prompt of N tokens.")
@click.option("--max-tokens", type=click.IntRange(0), metavar="N", help="Decide for an answer of at most N tokens.")
@base_url_option
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as one JSON object.")
def explain(
    name: str, language: str | None, input_tokens: int | None, max_tokens: int | None, base_url: str, as_json: bool
) -> None:
    """Show each route that policy NAME keeps or drops, on which figure and from which run.

    The chosen route comes first, then the others in the order in which they would be tried, then those dropped. Exit
    code 1 when no route may serve the request.
    """
    asked = {"language": language, "input_tokens": input_tokens, "max_tokens": max_tokens}
    params = {key: value for key, value in asked.items() if value is not None}
    explanation = get_json(base_url, f"policies/{quote(name, safe='')}/explain", params)
    try:
        text = json.dumps(explanation, indent=2) if as_json else "\n".join(_lines(explanation))
        chosen = explanation["chosen"]
    except (KeyError, TypeError) as error:
        raise MissingFailure(
            f"{base_url} gave no explanation: is this a Weighbridge gateway of this version?"
        ) from error
    click.echo(text)
    if chosen is None:
        raise Failure(f"no route may serve this under policy '{name}'")


def _lines(explanation: dict[str, Any]) -> Iterator[str]:
    otherwise = explanation["otherwise"]
    when_none = "refuse the request" if otherwise == "refuse" else otherwise
    yield f"policy {explanation['policy']}: {explanation['objective']}"
    yield f"  when no route keeps every requirement: {when_none}; unmeasured routes: {explanation['unmeasured']}"
    request = explanation["request"]
    max_tokens = "no max_tokens" if request["max_tokens"] is None else f"max_tokens {request['max_tokens']:,}"
    language = request["language"] or "not known"
    yield f"request: {request['input_tokens_estimate']:,} tokens in, {max_tokens}, language {language}"
    if explanation["used_otherwise"]:
        yield f"no route keeps every requirement, so requirements on evidence are waived: {otherwise}"
    for route in explanation["routes"]:
        yield ""
        yield from _route_lines(route, route["route"] == explanation["chosen"])


def _route_lines(route: dict[str, Any], chosen: bool) -> Iterator[str]:
    verdict = "chosen " if chosen else "kept   " if route["kept"] else "dropped"
    yield f"{verdict}  {route['route']}, revision {route['revision']}"
    yield wrapped(_figure(route["objective"]), "    figure  ", _INDENT)
    # What dropped a route is what the reader looks for; what every policy asks is worth a line only when it did.
    for finding in sorted(route["findings"], key=lambda finding: bool(finding["kept"])):
        if not finding["kept"] or finding["requirement"] not in _ALWAYS_ASKED:
            mark = "ok    " if finding["kept"] else "waived" if route["kept"] else "no    "
            yield wrapped(f"{finding['requirement']}: {finding['reason']}", f"    {mark}  ", _INDENT)


def _figure(figure: dict[str, Any]) -> str:
    value, meaning = figure["value"], figure["meaning"]
    if value is None:
        return f"unmeasured: {meaning}"
    shown = {"nanousd": dollars, "share": share, "ms": milliseconds}[figure["unit"]](value)
    return f"{shown} {meaning}" + (f"; run {figure['run_id']}" if figure["run_id"] else "")
