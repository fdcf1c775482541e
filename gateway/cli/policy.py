"""`weighbridge policy`: what a running gateway would decide, and why; the presets, and published figures."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import click

from backends.route import Capability
from evaluator.figures import dollars, milliseconds, share
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.gateway_client import base_url_option, get_json, post_json
from gateway.cli.table import wrapped
from gateway.config.names import did_you_mean
from gateway.config.presets import PRESETS
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

_ALWAYS_ASKED = frozenset(
    {"request_context", "request_output", "request_language", "request_capabilities", "available"}
)
_PUBLISHED = Path(__file__).parents[2] / "deploy" / "published" / "johal-2026.json"
_INDENT = " " * 12


@click.group()
def command() -> None:
    """Presets, published figures, and what a running gateway's policies decide."""


@command.command()
@click.argument("name")
@click.option("--language", metavar="LANGUAGE", help="Decide for a request about this programming language.")
@click.option("--input-tokens", type=click.IntRange(0), metavar="N", help="Decide for a prompt of N tokens.")
@click.option("--max-tokens", type=click.IntRange(0), metavar="N", help="Decide for an answer of at most N tokens.")
@click.option(
    "--needs",
    multiple=True,
    type=click.Choice(get_args(Capability)),
    help="Decide for a request that asks for this; may be given several times.",
)
@base_url_option
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as one JSON object.")
def explain(name: str, base_url: str, as_json: bool, **asked: str | int | tuple[str, ...] | None) -> None:
    """Show each route that policy NAME keeps or drops, on which figure and from which run.

    The chosen route comes first, then the others in the order in which they would be tried, then those dropped. Exit
    code 1 when no route may serve the request.
    """
    params = {key: value for key, value in asked.items() if value not in (None, ())}
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


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print the presets as one JSON object.")
def presets(as_json: bool) -> None:
    """List the policies that are shipped; `policies: {NAME: {preset: PRESET}}` uses one."""
    if as_json:
        click.echo(json.dumps({name: asdict(preset) for name, preset in PRESETS.items()}, indent=2))
        return
    for name, preset in PRESETS.items():
        click.echo(wrapped(preset.rule, f"{name}: ", "    "))


@command.command()
@click.option("--route", "routes", multiple=True, metavar="ROUTE=FIGURES", help="A route of yours, and whose it has.")
@base_url_option
@click.option("--json", "as_json", is_flag=True, help="Print the scorecards, and load nothing.")
def published(routes: tuple[str, ...], base_url: str, as_json: bool) -> None:
    """Load the shipped published figures into a running gateway, as scorecards of origin `published`.

    They are of llama-3.1-70b, mixtral-8x22b and claude-3.5-sonnet, for routes of those names, or of those given by
    --route. They are shown apart from what was measured, and only policies with `evidence: published` go by them.
    """
    cards = Snapshot.decode(_PUBLISHED.read_bytes()).scorecards
    if routes:
        cards = tuple(card for named in routes for card in _renamed(named, cards))
    content = {"scorecards": [asdict(card) for card in cards]}
    if as_json:
        click.echo(json.dumps(content, indent=2))
        return
    post_json(base_url, "scorecards", content)
    names = ", ".join(dict.fromkeys(card.route for card in cards))
    click.echo(f"{len(cards)} published scorecards loaded, for {names}")


def _renamed(named: str, cards: tuple[Scorecard, ...]) -> list[Scorecard]:
    route, equals, figures = named.partition("=")
    of_model = [replace(card, route=route) for card in cards if card.route == figures]
    if not route or not equals or not of_model:
        known = {card.route for card in cards}
        raise ConfigFailure(
            f"--route {named}: not ROUTE=FIGURES with published figures; {did_you_mean(figures, known)}"
        )
    return of_model


def _lines(explanation: dict[str, Any]) -> Iterator[str]:
    otherwise = explanation["otherwise"]
    when_none = "refuse the request" if otherwise == "refuse" else otherwise
    yield f"policy {explanation['policy']}: {explanation['objective']}"
    yield f"  when no route keeps every requirement: {when_none}; unmeasured routes: {explanation['unmeasured']}"
    if explanation["evidence"] == "published":
        yield "  goes by published figures, and by no measured ones"
    request = explanation["request"]
    max_tokens = "no max_tokens" if request["max_tokens"] is None else f"max_tokens {request['max_tokens']:,}"
    language = request["language"] or "not known"
    needs = f", needs {', '.join(request['needs'])}" if request["needs"] else ""
    yield f"request: {request['input_tokens_estimate']:,} tokens in, {max_tokens}, language {language}{needs}"
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
    shown = {"nanousd": dollars, "share": share, "ms": milliseconds, "score": _score}[figure["unit"]](value)
    source = "; run" if figure["origin"] == "measured" else "; published, not measured:"
    return f"{shown} {meaning}" + (f"{source} {figure['run_id']}" if figure["run_id"] else "")


def _score(value: float) -> str:
    return f"score {value:.3f} (less is better)"
