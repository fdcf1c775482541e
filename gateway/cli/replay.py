"""`weighbridge replay`: sends a suite through a live route and judges what comes back."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import click
import httpx

from evaluator.replaying.wires import Wire
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.gateway_client import base_url_option
from gateway.cli.replay_all import replay_all
from gateway.cli.replay_run import Options, replayed
from gateway.cli.replay_wires import parsed_wires, replay_wires
from gateway.cli.sandbox import packages_option, sandbox_option


@click.command()
@click.argument("suites", metavar="SUITE", nargs=-1)
@click.option(
    "--all", "every", is_flag=True, help="Every route of the gateway on every SUITE named (builtin, if none)."
)
@click.option("--route", metavar="NAME", help="The route to weigh: its own name pins it.")
@click.option(
    "--policy", metavar="NAME", help="A policy (or alias) instead: whichever routes it picks are shown apart."
)
@base_url_option
@click.option("--samples", default=3, show_default=True, type=click.IntRange(1), help="Repetitions of every task.")
@click.option("--limit", type=click.IntRange(1), help="Only that many tasks, drawn by --seed; the result is partial.")
@click.option(
    "--until",
    metavar="CONDITION",
    help='Ask tasks in random order until e.g. "pass_at_1 >= 0.80" is decided; the result is partial if any are left.',
)
@click.option("--seed", default=0, show_default=True, help="Which tasks --limit draws, and the order of --until.")
@click.option("--temperature", default=0.2, show_default=True, type=click.FloatRange(0, 2))
@click.option("--top-p", default=0.95, show_default=True, type=click.FloatRange(0, 1, min_open=True))
@click.option("--max-tokens", default=512, show_default=True, type=click.IntRange(1), help="Longest answer, in tokens.")
@click.option("--concurrency", default=8, show_default=True, type=click.IntRange(1), help="Calls in flight.")
@click.option("--retries", default=4, show_default=True, type=click.IntRange(0), help="Further tries of a failed call.")
@click.option("--timeout", default=600.0, show_default=True, type=click.FloatRange(1), help="Seconds for one call.")
@click.option(
    "--cache",
    default="no-store",
    show_default=True,
    type=click.Choice(["no-store", "use", "both"]),
    help="What the gateway's cache may do. What it answers is no measurement and enters no score. both: every "
    "sample is asked afresh, and again so that the cache answers, which must score alike.",
)
@click.option(
    "--wire",
    "wires",
    default="chat",
    show_default=True,
    metavar="WIRES",
    callback=lambda context, parameter, value: parsed_wires(value),
    help="chat, responses or messages. Several, with commas between: one replay each, which must score alike.",
)
@packages_option
@sandbox_option
@click.option("--new-run", is_flag=True, help="Start afresh, though the same run is there, finished or not.")
@click.option(
    "--post/--no-post",
    default=None,
    help="Hand the scorecards to the gateway, whose policies use them. Default: the whole ones, not the partial ones.",
)
@click.option("--json", "as_json", is_flag=True, help="Print scorecards and summary as one JSON object.")
def command(**options: Any) -> None:
    """Send SUITE through a live route, as any client would, run the code that comes back, and score it.

    SUITE is `builtin`, a part of it (`builtin:go,rust`), or the path of a suite file (.jsonl, .jsonl.gz, .json). The
    gateway's key is taken from WEIGHBRIDGE_API_KEY.

    Everything finished is on the disk at once, under .weighbridge/replays (or WEIGHBRIDGE_STATE_DIR): after an
    interruption, the same command goes on where it stopped and asks nothing twice.

    With --all, one replay comes after the other, and one that fails stops no other; results.json and replay.log say
    what came of each.

    \b
      weighbridge replay builtin --route llama-3.1-70b
      weighbridge replay HumanEvalPlus-v0.1.10.jsonl.gz --policy auto --samples 1 --limit 20
      weighbridge replay HumanEvalPlus-v0.1.10.jsonl.gz --route llama-3.1-70b --until "pass_at_1 >= 0.80"
      weighbridge replay --all builtin HumanEvalPlus-v0.1.10.jsonl.gz
      weighbridge replay builtin --route llama-3.1-70b --cache both
      weighbridge replay builtin --route llama-3.1-70b --wire chat,responses,messages
    """
    suites, every, wires = options.pop("suites"), options.pop("every"), options.pop("wires")
    options["base_url"] = _checked(options["base_url"])
    try:
        if every:
            asyncio.run(replay_all(_every(suites, wires, options)))
        elif len(wires) > 1:
            asyncio.run(replay_wires([Options(suite=_only(suites), wire=wire, **options) for wire in wires]))
        else:
            asyncio.run(_replay(Options(suite=_only(suites), wire=wires[0], **options)))
    except KeyboardInterrupt:
        resume = "the same command without --new-run resumes" if options["new_run"] else "the same command resumes"
        click.echo(f"stopped; what was finished is kept, and {resume}", err=True)
        raise


def _only(suites: Sequence[str]) -> str:
    if len(suites) != 1:
        raise ConfigFailure("name one suite, or weigh every route on several: replay --all SUITE...")
    return suites[0]


def _every(suites: Sequence[str], wires: Sequence[Wire], options: dict[str, Any]) -> list[Options]:
    if options["route"] or options["policy"]:
        raise ConfigFailure("--all weighs every route: leave --route and --policy away")
    if len(wires) > 1:
        raise ConfigFailure("--all weighs on one wire: name one with --wire, or one suite and route")
    return [Options(suite=suite, wire=wires[0], **options) for suite in suites or ("builtin",)]


def _checked(base_url: str) -> str:
    """One spelling a URL, as it is part of the run's identity; and no password in it, as it is written down."""
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ConfigFailure(f"--base-url {base_url} is no URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigFailure(f"--base-url {base_url} is no HTTP URL; write http://HOST:PORT/v1")
    if url.userinfo:
        raise ConfigFailure("--base-url holds a user or password; give the key in WEIGHBRIDGE_API_KEY instead")
    return str(url).rstrip("/")


async def _replay(options: Options) -> None:
    summary = await replayed(options)
    click.echo(json.dumps(summary.as_json(), indent=2) if options.as_json else "\n".join(summary.lines()))
    if not summary.posted.as_wanted:
        raise MissingFailure(f"scorecards {summary.posted.note}; mend that, and the same command hands them over")
    if summary.cached is not None and summary.cached.unlike:
        count = len(summary.cached.unlike)
        raise Failure(
            f"{count} cached answers scored otherwise than the fresh ones: see {summary.folder / 'again.jsonl'}"
        )
