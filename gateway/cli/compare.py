"""`weighbridge compare`: the report of a change, before and after."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from evaluator.compare_runs import Comparison, Incomparable, Measured, Unfinished, compare_all
from evaluator.store.journal import DamagedJournal
from evaluator.store.run_folder import RunBusy
from gateway.cli.compare_sides import Side, measurements, replays
from gateway.cli.compare_text import as_json, as_markdown, as_text
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.gateway_client import base_url_option
from gateway.cli.report.compare_page import compare_page
from gateway.cli.report.page import html_option, write

LEVEL = 0.05
"""Below it, chance is not taken for the reason why the second side is worse."""


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@base_url_option
@click.option("--json", "as_json_object", is_flag=True, help="Print one JSON object; money in integer nano-dollars.")
@click.option("--markdown", "as_table", is_flag=True, help="Print Markdown, a table a suite.")
@html_option
@click.option(
    "--fail-if-worse",
    is_flag=True,
    help=f"Exit code 1 when B solves fewer tasks than A on a suite, with p < {LEVEL} by the paired test.",
)
def command(
    before: str, after: str, base_url: str, as_json_object: bool, as_table: bool, html: Path | None, fail_if_worse: bool
) -> None:
    """Show what changed from A to B: correctness, latency and cost, and which tasks flipped.

    A and B are run ids, folders of runs, files of scorecards (FILE, or FILE#ROUTE), or routes of a running gateway
    (ROUTE, or ROUTE#REVISION: its newest whole scorecards). Tasks are paired where the samples of both are at hand: for
    runs always, for routes when they were replayed with this state folder.

    \b
      weighbridge compare builtin-small-0123456789ab builtin-large-ba9876543210
      weighbridge compare llama-3.1-70b mixtral-8x22b --markdown
    """
    if as_json_object and as_table:
        raise ConfigFailure("--json and --markdown exclude each other: give one")
    comparisons, left_out = _comparisons(before, after, base_url)
    if as_json_object:
        click.echo(json.dumps(as_json(comparisons, left_out), indent=2))
    else:
        click.echo(as_markdown(comparisons, left_out) if as_table else as_text(comparisons, left_out))
    if html is not None:
        write(html, compare_page(comparisons, (before, after)))
    if fail_if_worse:
        _fail_if_worse(comparisons)


def _comparisons(before: str, after: str, base_url: str) -> tuple[list[Comparison], list[str]]:
    """And what is left out of them, in words."""
    try:
        first, second = (measurements(word, base_url, replays()) for word in (before, after))
        return compare_all(_matched(first.measured, second.measured)), list(_left_out(first, second))
    except Incomparable as error:
        raise ConfigFailure(f"cannot compare {before} with {after}: {error}") from error
    except Unfinished as error:
        raise MissingFailure(str(error)) from error
    except OSError as error:
        raise MissingFailure(f"cannot read {error.filename}: {error.strerror}") from error
    except (RunBusy, DamagedJournal) as error:
        raise Failure(str(error)) from error


def _matched(before: Sequence[Measured], after: Sequence[Measured]) -> list[tuple[Measured, Measured]]:
    """Suite by suite and language by language. One measurement a side is a pair whatever it measured, to be refused."""
    if len(before) == len(after) == 1:
        return [(before[0], after[0])]
    others = {_about(measured): measured for measured in after}
    pairs = [(measured, others[_about(measured)]) for measured in before if _about(measured) in others]
    if not pairs:
        first, second = ("; ".join(sorted(map(_about, side))) for side in (before, after))
        raise Incomparable(f"they have no suite in common: {first} before, {second} after")
    return pairs


def _left_out(before: Side, after: Side) -> Iterator[str]:
    sides = (("A", before, after), ("B", after, before))
    for name, side, other in sides:
        if len(side.measured) == len(other.measured) == 1:
            continue
        common = set(map(_about, other.measured))
        yield from (
            f"{_about(each)}: only {name} was measured there" for each in side.measured if _about(each) not in common
        )
    for name, side, _ in sides:
        for card in side.passed_over:
            yield (
                f"{name}'s run {card.run_id}: newer, but only a part of {card.suite} in {card.language};"
                " name the run to compare it"
            )


def _about(measured: Measured) -> str:
    return f"{measured.card.suite} in {measured.card.language}"


def _fail_if_worse(comparisons: Sequence[Comparison]) -> None:
    unpaired = [comparison.after.suite for comparison in comparisons if comparison.paired is None]
    if unpaired:
        raise ConfigFailure(f"--fail-if-worse needs the samples of both sides ({', '.join(unpaired)}): name two runs")
    worse = [
        f"{found.after.suite} ({found.after.language})"
        for found in comparisons
        if found.paired is not None and found.paired.is_worse(LEVEL)
    ]
    if worse:
        raise Failure(f"B is worse than A on {', '.join(worse)} (p < {LEVEL})")
