"""`weighbridge spend`: what a running gateway's requests cost, by whatever it is asked."""

import csv
import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import click

from gateway.cli.failure import ConfigFailure
from gateway.cli.gateway_client import base_url_option, get_json
from gateway.cli.table import columns

BY = ("key", "team", "customer", "tenant", "policy", "route", "model", "language", "day", "source")
_NANO = 1_000_000_000
_KINDS = {"requests": "", "shadow": "mirrored", "idle_gpu": "idle GPUs"}
_COUNTS = {
    "requests": "requests",
    "errors": "errors",
    "cache_hits": "from cache",
    "input_tokens": "tokens in",
    "cached_input_tokens": "cached",
    "output_tokens": "tokens out",
}
_MONEY = {"cost_nanousd": "USD", "estimated_nanousd": "of it estimated", "saved_nanousd": "saved by the cache"}


class _Day(click.ParamType[date]):
    """`2026-11-01`, or `30d`: so many days ago."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value)
        if ago := re.fullmatch(r"([0-9]{1,5})d", text):
            return datetime.now(UTC).date() - timedelta(days=int(ago[1]))
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no day; write it like 2026-11-01 or 30d", param, ctx)


@click.command()
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(BY),
    help="A row for each; repeatable, for each combination. [default: route]",
)
@click.option("--since", type=_Day(), metavar="DAY", help="The first day (UTC), or `30d`. [default: the month's first]")
@click.option("--until", type=_Day(), metavar="DAY", help="The last day, which belongs to it. [default: today]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in whole nano-dollars.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV; money in whole nano-dollars.")
@base_url_option
def command(
    by: tuple[str, ...], since: date | None, until: date | None, as_json: bool, as_csv: bool, base_url: str
) -> None:
    """Show what requests cost, from a running gateway's ledger.

    With a virtual key it is what that key's tenant spent. Mirrored requests and idle GPU hours have rows of their own.
    `of it estimated` is what of the cost is not by the provider's own count.

    \b
      weighbridge spend --by team
      weighbridge spend --by customer --by model --since 2026-11-01 --until 2026-11-30 --csv
      weighbridge spend --by day --since 30d
    """
    if as_json and as_csv:
        raise ConfigFailure("--json and --csv: choose one")
    by = tuple(dict.fromkeys(by)) or ("route",)
    days = {name: day.isoformat() for name, day in (("since", since), ("until", until)) if day is not None}
    found = get_json(base_url, "spend", {"by": list(by), **days})
    if as_json:
        click.echo(json.dumps(found, indent=1))
    elif as_csv:
        _write_csv(found["rows"])
    else:
        click.echo("\n".join(_table(found, by)))


def _write_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _table(found: Mapping[str, Any], by: Sequence[str]) -> list[str]:
    rows, total = found["rows"], found["total"]
    title = f"{found['since']} to {found['until']} (UTC)"
    if not rows:
        return [title, "", "nothing was asked"]
    shown = [name for name in _COUNTS if name in ("requests", "input_tokens", "output_tokens") or total[name]]
    money = [name for name in _MONEY if name == "cost_nanousd" or total[name]]
    head = [*by, *(_COUNTS[name] for name in shown), *(_MONEY[name] for name in money)]
    body = [[*_names(row, by), *_figures(row, shown, money)] for row in rows]
    last = ["total", *[""] * (len(by) - 1), *_figures(total, shown, money)]
    lines = [title, "", *columns([head, *body, last], left=range(len(by)))]
    if total["gpu_seconds"]:
        lines += ["", f"{total['gpu_seconds'] / 3600:,.1f} GPU hours were rented; what of them no request paid is idle"]
    if total["uncounted"]:
        lines += ["", f"{total['uncounted']:,} requests whose tokens nobody counted cost nothing here"]
    return lines


def _names(row: Mapping[str, Any], by: Sequence[str]) -> list[str]:
    """What is mirrored or idle says so in the first column that has nothing else to say, or else in the first."""
    names = [str(row[name]) if row[name] is not None else "" for name in by]
    if kind := _KINDS[row["kind"]]:
        place = names.index("") if "" in names else 0
        names[place] = f"{names[place]} ({kind})".lstrip()
    return [name or "-" for name in names]


def _figures(row: Mapping[str, Any], shown: Sequence[str], money: Sequence[str]) -> list[str]:
    return [f"{row[name]:,}" for name in shown] + [_usd(row[name]) for name in money]


def _usd(nanousd: int) -> str:
    """Rounded for people: cents of cents, exact figures are in JSON and CSV."""
    return f"{nanousd / _NANO:,.4f}"
