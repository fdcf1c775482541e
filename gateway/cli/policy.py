"""`weighbridge policy`: what a running gateway would decide, and why; the presets, and published figures."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TextIO, get_args
from urllib.parse import quote

import click

from backends.route import Capability
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.gateway_client import base_url_option, get_json, post_json
from gateway.cli.policy_simulate import simulate_command
from gateway.cli.policy_text import explanation_lines
from gateway.cli.policy_train import train_command
from gateway.cli.table import wrapped
from gateway.config import ConfigError, load_config
from gateway.config.names import did_you_mean
from gateway.config.presets import PRESETS
from gateway.routing.opening import prompt_of_text
from gateway.routing.sticky import draw_of, place_of_session
from policies.budget import supposed
from policies.compile import decide
from policies.languages import canonical
from policies.request import RequestTraits
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot

_PUBLISHED = Path(__file__).parents[2] / "deploy" / "published" / "johal-2026.json"


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
@click.option("--session", metavar="ID", help="Decide for the session of this id, where the policy goes by it.")
@click.option("--prompt", type=click.File(), metavar="FILE", help="Decide for this prompt; - reads standard input.")
@click.option("--previous", metavar="ROUTE", help="Decide for a session that this route answered last.")
@click.option("--budget-left", type=click.FloatRange(0, 1), metavar="SHARE", help="What the key's budget has left.")
@click.option("--budget-left-usd", type=click.FloatRange(0), metavar="USD", help="The same in dollars.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ask no gateway: decide by this file, as if every route served, with published figures and nothing measured.",
)
@base_url_option
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as one JSON object.")
def explain(
    name: str,
    config: Path | None,
    base_url: str,
    as_json: bool,
    prompt: TextIO | None,
    **asked: str | float | tuple[str, ...] | None,
) -> None:
    """Show each route that policy NAME keeps or drops, on which figure and from which run.

    The chosen route comes first, then the others in the order in which they would be tried, then those dropped. Exit
    code 1 when no route may serve the request.
    """
    params: dict[str, Any] = {key: value for key, value in asked.items() if value not in (None, ())}
    text = prompt.read() if prompt is not None else None
    path = f"policies/{quote(name, safe='')}/explain"
    if config is not None:
        explanation = _offline(config, name, text, **params)
    elif text is not None:
        explanation = post_json(base_url, path, {"prompt": text}, params)
    else:
        explanation = get_json(base_url, path, params)
    try:
        shown = json.dumps(explanation, indent=2) if as_json else "\n".join(explanation_lines(explanation))
        chosen = explanation["chosen"]
    except (KeyError, TypeError) as error:
        raise MissingFailure(
            f"{base_url} gave no explanation: is this a Weighbridge gateway of this version?"
        ) from error
    click.echo(shown)
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


command.add_command(simulate_command, "simulate")
command.add_command(train_command, "train")


def _offline(
    file: Path,
    name: str,
    text: str | None,
    language: str | None = None,
    input_tokens: int = 0,
    max_tokens: int | None = None,
    needs: tuple[Capability, ...] = (),
    session: str | None = None,
    previous: str | None = None,
    budget_left: float | None = None,
    budget_left_usd: float | None = None,
) -> dict[str, Any]:
    try:
        config = load_config(file)
    except ConfigError as error:
        raise ConfigFailure(str(error)) from error
    policy = config.policies.get(config.aliases.get(name, name))
    if policy is None:
        raise ConfigFailure(f"{file} has no policy '{name}'; {did_you_mean(name, config.policies)}")
    spoken = canonical(language) if language else None
    draw = draw_of(place_of_session(session)) if session is not None else 0
    budget = supposed(budget_left, budget_left_usd)
    traits = RequestTraits(input_tokens, max_tokens, spoken, frozenset(needs), draw, previous, budget=budget)
    if text is not None:
        traits = replace(traits, prompt=prompt_of_text(text, traits))
    return decide(policy, config.routes.values(), Snapshot.decode(_PUBLISHED.read_bytes()), traits).explain()


def _renamed(named: str, cards: tuple[Scorecard, ...]) -> list[Scorecard]:
    route, equals, figures = named.partition("=")
    of_model = [replace(card, route=route) for card in cards if card.route == figures]
    if not route or not equals or not of_model:
        known = {card.route for card in cards}
        raise ConfigFailure(
            f"--route {named}: not ROUTE=FIGURES with published figures; {did_you_mean(figures, known)}"
        )
    return of_model
