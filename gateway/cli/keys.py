"""`weighbridge keys`: virtual keys of a running gateway."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click

from gateway.cli.gateway_client import DEFAULT_BASE_URL, administer
from gateway.cli.keys_from_csv import Convert, as_csv, orders_of
from gateway.cli.table import columns

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NANO = 1_000_000_000

_base_url: Callable[[Any], Any] = click.option(
    "--base-url",
    default=DEFAULT_BASE_URL,
    show_default=True,
    metavar="URL",
    help="A running gateway. Its admin key is taken from WEIGHBRIDGE_ADMIN_KEY.",
)
_json: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class _Duration(click.ParamType[int]):
    """`90s`, `15m`, `24h` or `30d`, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is no duration; write it like 90s, 15m, 24h or 30d", param, ctx)
        return int(found[1]) * _UNIT_S[found[2]]


class _Budget(click.ParamType[dict[str, Any]]):
    """`5.00` is hard; `5.00:soft` is not."""

    name = "budget"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,9})?)(?::(hard|soft))?", str(value))
        if found is None:
            self.fail(f"{value!r} is no budget; write it like 5.00, 5.00:hard or 5.00:soft", param, ctx)
        return {"usd": found[1], "hard": found[2] != "soft"}


_COLUMNS: dict[str, Convert] = {
    **dict.fromkeys(("owner", "team", "customer", "routes", "policies", "residency"), str),
    **{name: partial(click.IntRange(1).convert, param=None, ctx=None) for name in ("rpm", "tpm", "parallel")},
    **{name: partial(_Budget().convert, param=None, ctx=None) for name in ("day", "month")},
    "expires": partial(_Duration().convert, param=None, ctx=None),
}
"""Of a CSV file, with what each means."""


def _timed(order: dict[str, Any]) -> dict[str, Any]:
    """With the time at which it expires, rather than how long it is from now."""
    rest = {name: value for name, value in order.items() if name != "expires"}
    return {**rest, "expires_at": time.time() + order["expires"]} if "expires" in order else rest


@click.group()
def command() -> None:
    """Make, list, rotate and revoke virtual keys of a running gateway.

    It needs the section `keys` in the gateway's configuration; docs/keys.md has an example.
    """


@command.command()
@click.option("--owner", metavar="NAME", help="Whose key it is.")
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A CSV file, one key a line; its columns are these options' names. All are made in one call, or none.",
)
@click.option("--team", metavar="NAME", help="The team that it is of, in the ledger and in `keys.teams`.")
@click.option("--customer", metavar="NAME", help="The customer that it is of: a customer's keys share cached answers.")
@click.option("--route", "routes", multiple=True, metavar="NAME", help="May be served by this route only; repeatable.")
@click.option("--policy", "policies", multiple=True, metavar="NAME", help="May ask for this policy only; repeatable.")
@click.option("--residency", type=click.Choice(["self_hosted"]), help="What it sends never leaves the house.")
@click.option("--expires", type=_Duration(), metavar="TIME", help="From now: 90s, 15m, 24h, 30d.")
@click.option("--rpm", type=click.IntRange(1), metavar="N", help="Requests a minute.")
@click.option("--tpm", type=click.IntRange(1), metavar="N", help="Tokens a minute, in and out.")
@click.option("--parallel", type=click.IntRange(1), metavar="N", help="Requests at the same time.")
@click.option("--day", type=_Budget(), metavar="USD", help="Budget a day (UTC); `5:soft` follows recent answers.")
@click.option("--month", type=_Budget(), metavar="USD", help="Budget a month (UTC); `5:soft` follows recent answers.")
@_base_url
@_json
def create(base_url: str, as_json: bool, file: Path | None, expires: int | None, **wanted: Any) -> None:
    """Make a key and show it, this once: the gateway keeps its hash only.

    With --from many: a line may name owner, team, customer, routes, policies, residency, expires, rpm, tpm, parallel,
    day and month; the options hold where it says nothing. Printed as CSV: key, id, owner, team, customer.
    """
    order = {name: value for name, value in wanted.items() if value not in (None, ())}
    if expires is not None:
        order["expires"] = expires
    if file is None and "owner" not in order:
        raise click.UsageError("name the key's --owner, or a file with --from")
    if file is None:
        _show_made(administer("POST", base_url, "keys", json=_timed(order)), as_json)
        return
    orders = [_timed(each) for each in orders_of(file, _COLUMNS, order)]
    made = administer("POST", base_url, "keys/batch", json={"keys": orders})["keys"]
    click.echo(json.dumps(made, indent=1) if as_json else as_csv(made))
    click.echo(f"{len(made):,} keys: this is the only time that they are shown", err=True)


@command.command("list")
@_base_url
@_json
def list_keys(base_url: str, as_json: bool) -> None:
    """Show all keys, the oldest first; never the keys themselves."""
    keys = administer("GET", base_url, "keys")["keys"]
    if as_json:
        click.echo(json.dumps(keys, indent=1))
    elif keys:
        head = ["id", "owner", "team", "customer", "may use", "limits", "state"]
        click.echo("\n".join(columns([head, *map(_row, keys)], left=range(len(head)))))
    else:
        click.echo("no keys; make one with `weighbridge keys create --owner NAME`")


@command.command()
@click.argument("key_id", metavar="ID")
@click.option("--grace", type=_Duration(), default="0s", metavar="TIME", help="The old key is good for so long more.")
@_base_url
@_json
def rotate(key_id: str, grace: int, base_url: str, as_json: bool) -> None:
    """Give key ID a new secret, with the same limits and rights, and show it this once."""
    _show_made(administer("POST", base_url, f"keys/{key_id}/rotate", params={"grace_s": grace}), as_json)


@command.command()
@click.argument("key_id", metavar="ID")
@_base_url
@_json
def revoke(key_id: str, base_url: str, as_json: bool) -> None:
    """End key ID for good: every replica refuses it within two seconds."""
    key = administer("POST", base_url, f"keys/{key_id}/revoke")
    click.echo(json.dumps(key, indent=1) if as_json else f"{key['id']} is revoked")


def _show_made(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(made, indent=1))
        return
    click.echo(made["key"])
    click.echo(f"{made['id']}, of {made['owner']}: this is the only time that the key is shown", err=True)


def _row(key: dict[str, Any]) -> list[str]:
    return [key["id"], key["owner"], key["team"] or "", key["customer"] or "", _rights(key), _limits(key), _state(key)]


def _rights(key: dict[str, Any]) -> str:
    parts = [*sorted(key["policies"] or ()), *sorted(key["routes"] or ())] or ["everything"]
    return ", ".join(parts) + (", self_hosted only" if key["residency"] == "self_hosted" else "")


def _limits(key: dict[str, Any]) -> str:
    allowed = key["allowance"]
    parts = [f"{allowed[name]:,} {name}" for name in ("rpm", "tpm", "parallel") if allowed[name] is not None]
    for window in ("day", "month"):
        if (budget := allowed[window]) is not None:
            usd = f"{budget['nanousd'] / _NANO:,.9f}".rstrip("0").rstrip(".")
            parts.append(f"${usd} a {window}{'' if budget['hard'] else ' (soft)'}")
    return ", ".join(parts) or "none"


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"] is not None:
        return f"revoked {_time(key['revoked_at'])}"
    if key["expires_at"] is None:
        return "in force"
    return f"{'expired' if key['expires_at'] <= time.time() else 'until'} {_time(key['expires_at'])}"


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
