"""`weighbridge feedback`: what users made of a running gateway's answers."""

import json
from datetime import UTC, datetime

import click
import msgspec

from evaluator.figures import share
from gateway.cli.failure import MissingFailure
from gateway.cli.gateway_client import base_url_option, get_json
from gateway.cli.table import columns
from gateway.feedback import OnlineScorecard

_HEAD = ("route", "revision", "language", "judged", "accepted", "edited", "rejected", "rate", "95% interval", "last")
_LEFT = (0, 1, 2)


class _Summary(msgspec.Struct):
    scorecards: list[OnlineScorecard]


@click.command()
@base_url_option
@click.option("--json", "as_json", is_flag=True, help="Print the online scorecards as one JSON object.")
def command(base_url: str, as_json: bool) -> None:
    """Show how many answers of each route were accepted, edited and rejected.

    Verdicts come in by POST /v1/feedback. The rate is of answers that were used as they were. These are online
    scorecards: they stand beside those of test suites, and no policy goes by them.
    """
    summary = get_json(base_url, "feedback")
    try:
        cards = msgspec.convert(summary, _Summary).scorecards
    except msgspec.ValidationError as error:
        raise MissingFailure(f"{base_url} gave no online scorecards: is this a Weighbridge gateway?") from error
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    elif cards:
        click.echo("\n".join(columns([_HEAD, *map(_row, cards)], _LEFT)))
    else:
        click.echo("nobody has judged an answer yet; tools do it by POST /v1/feedback")


def _row(card: OnlineScorecard) -> tuple[str, ...]:
    counts = (card.judged, card.accepted, card.edited, card.rejected)
    interval = f"{card.lower:.3f} .. {card.upper:.3f}" if card.judged else "-"
    last = datetime.fromtimestamp(card.last_at, UTC).strftime("%Y-%m-%d %H:%M")
    return (card.route, card.revision, card.language, *map(str, counts), share(card.acceptance_rate), interval, last)
