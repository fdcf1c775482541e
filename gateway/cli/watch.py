"""`weighbridge watch`: keeps a gateway's evidence fresh, and shows what came of it."""

import asyncio
import os
from typing import Any

import click

from gateway.cli.failure import ConfigFailure
from gateway.cli.gateway_client import base_url_option
from gateway.cli.sandbox import packages_option, sandbox_option
from gateway.cli.watch_history import history
from gateway.cli.watch_run import Options, watched
from gateway.processes.process import die_with_parent
from gateway.telemetry import logs


@click.command()
@click.argument("suites", metavar="SUITE", nargs=-1)
@base_url_option
@click.option("--history", "shows_history", is_flag=True, help="Show the audit instead, newest first.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="Rows of --history.")
@click.option("--json", "as_json", is_flag=True, help="Print --history as one JSON object.")
@click.option("--usd-per-day", type=click.FloatRange(0), help="Stop asking when the last 24 hours cost so much.")
@click.option("--draws", default=4, show_default=True, type=click.IntRange(1), help="Draws of each route in a round.")
@click.option("--every", "every_s", default=60.0, show_default=True, help="Seconds between rounds.")
@click.option(
    "--rest", "rest_s", default=600.0, show_default=True, help="Seconds until a demoted route is asked again."
)
@click.option("--rounds", type=click.IntRange(1), help="Stop after so many.")
@click.option("--seed", default=0, show_default=True, help="Which tasks are drawn.")
@click.option("--temperature", default=0.2, show_default=True, type=click.FloatRange(0, 2))
@click.option("--top-p", default=0.95, show_default=True, type=click.FloatRange(0, 1, min_open=True))
@click.option("--max-tokens", default=512, show_default=True, type=click.IntRange(1), help="Longest answer, in tokens.")
@click.option("--timeout", default=600.0, show_default=True, type=click.FloatRange(1), help="Seconds for one call.")
@click.option(
    "--webhook",
    envvar="WEIGHBRIDGE_WATCH_WEBHOOK",
    metavar="URL",
    help="Tell this address of each change, in a POST. [env: WEIGHBRIDGE_WATCH_WEBHOOK]",
)
@packages_option
@sandbox_option
@click.option("--parent", type=int, hidden=True, help="The gateway's process, with which it ends.")
def command(**options: Any) -> None:
    """Ask live routes small slices of SUITEs, for ever, and admit or demote them by what they answer.

    It weighs each route at the gates (`pass_at_1`) of the gateway's policies that are on one of the SUITEs. Bounds hold
    at all times at once, so that looking often does no harm. What it does is on the disk, under .weighbridge/watch (or
    WEIGHBRIDGE_STATE_DIR): started again, it goes on where it was.

    \b
      weighbridge watch builtin:python --usd-per-day 2
      weighbridge watch --history
    """
    shows_history, limit, as_json = (options.pop(name) for name in ("shows_history", "limit", "as_json"))
    if shows_history:
        click.echo(history(options["base_url"], limit, as_json=as_json))
        return
    if not (suites := options.pop("suites")):
        raise ConfigFailure("name the suites to draw from, or ask for --history")
    parent = options.pop("parent")
    if parent is not None:
        die_with_parent(parent)
        os.nice(10)
    logs.configure()
    asyncio.run(watched(Options(suites=tuple(suites), **options)))
