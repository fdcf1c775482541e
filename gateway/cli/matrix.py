"""`weighbridge matrix`: the decision matrix of a running gateway."""

import json
from pathlib import Path

import click
import msgspec

from gateway.cli.failure import ConfigFailure, MissingFailure
from gateway.cli.gateway_client import base_url_option, get_json
from gateway.cli.matrix_rows import RouteRow, matrix, routes_of
from gateway.cli.matrix_text import as_json, as_markdown, as_text
from gateway.cli.report.matrix_page import matrix_page
from gateway.cli.report.page import html_option, write
from policies.snapshot import InvalidScorecard, Snapshot


@click.command()
@base_url_option
@click.option("--json", "as_json_object", is_flag=True, help="Print one JSON object; money in integer nano-dollars.")
@click.option("--markdown", "as_table", is_flag=True, help="Print a Markdown table, a row a route.")
@html_option
def command(base_url: str, as_json_object: bool, as_table: bool, html: Path | None) -> None:
    """Show what is known of every route: correctness, cost and latency as measured, and its declared facts.

    Unmeasured is shown as unmeasured, never as zero. Measure with `weighbridge replay SUITE --route ROUTE`.
    """
    if as_json_object and as_table:
        raise ConfigFailure("--json and --markdown exclude each other: give one")
    rows, version = fetch_matrix(base_url)
    if html is not None:
        write(html, matrix_page(rows, version))
    if as_json_object:
        click.echo(json.dumps(as_json(rows, version), indent=2))
    else:
        click.echo(as_markdown(rows) if as_table else as_text(rows))


def fetch_matrix(base_url: str) -> tuple[tuple[RouteRow, ...], int]:
    """The matrix of a running gateway and the version of the scorecards it rests on."""
    models, scorecards = get_json(base_url, "models"), get_json(base_url, "scorecards")
    try:
        snapshot = Snapshot.decode(msgspec.json.encode(scorecards))
        return matrix(routes_of(models), snapshot), snapshot.version
    except (msgspec.ValidationError, InvalidScorecard) as error:
        raise MissingFailure(f"{base_url} is no Weighbridge gateway of this version: {error}") from error
