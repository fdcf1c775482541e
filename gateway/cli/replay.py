"""`weighbridge replay`: sends a suite through a live route and judges what comes back."""

import asyncio
import json
import os
import shlex
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import click
import httpx

from evaluator.asking import Retries
from evaluator.client import CacheMode, Client, Refused, Sampling, Target, Unreachable
from evaluator.judge import Judge
from evaluator.manifest import opened
from evaluator.plan import Plan
from evaluator.progress import Progress, shown
from evaluator.replay import Limits, Replay
from evaluator.sandbox import SandboxError
from evaluator.scorecards import scorecards
from evaluator.store.journal import DamagedJournal
from evaluator.store.run_folder import RunBusy, RunFolder, run_path
from evaluator.suites import Suite, SuiteError, load_suite
from evaluator.summary import Posted, Summary
from gateway.cli.failure import ConfigFailure, Failure, MissingFailure
from gateway.cli.gateway_client import base_url_option
from gateway.cli.sandbox import packages_option, sandbox
from policies.requirements import MAX_UNSCORED_SHARE
from policies.scorecard import Scorecard


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked by click."""

    suite: str
    route: str | None
    policy: str | None
    base_url: str
    samples: int
    limit: int | None
    seed: int
    temperature: float
    top_p: float
    max_tokens: int
    cache: CacheMode
    concurrency: int
    retries: int
    timeout: float
    packages: Path | None
    new_run: bool
    post: bool | None
    as_json: bool

    @property
    def sampling(self) -> Sampling:
        return Sampling(self.temperature, self.top_p, self.max_tokens)

    @property
    def target(self) -> tuple[str, Literal["route", "policy"]]:
        if self.route is not None and self.policy is None:
            return self.route, "route"
        if self.policy is not None and self.route is None:
            return self.policy, "policy"
        raise ConfigFailure(
            "say what to weigh: either --route NAME or --policy NAME (`weighbridge matrix` lists routes)"
        )

    @property
    def command(self) -> list[str]:
        """What repeats the measurement, with everything spelled out that its result depends on."""
        name, kind = self.target
        words = ["weighbridge", "replay", self.suite, f"--{kind}", name, "--base-url", self.base_url]
        words += ["--samples", str(self.samples)]
        if self.limit is not None:
            words += ["--limit", str(self.limit), "--seed", str(self.seed)]
        words += ["--temperature", f"{self.temperature:g}", "--top-p", f"{self.top_p:g}"]
        words += ["--max-tokens", str(self.max_tokens), "--concurrency", str(self.concurrency)]
        words += ["--packages", str(self.packages)] if self.packages else []
        return words if self.cache == "no-store" else [*words, "--cache", self.cache]


@click.command()
@click.argument("suite")
@click.option("--route", metavar="NAME", help="The route to weigh: its own name pins it.")
@click.option(
    "--policy", metavar="NAME", help="A policy (or alias) instead: whichever routes it picks are shown apart."
)
@base_url_option
@click.option("--samples", default=3, show_default=True, type=click.IntRange(1), help="Repetitions of every task.")
@click.option("--limit", type=click.IntRange(1), help="Only that many tasks, drawn by --seed; the result is partial.")
@click.option("--seed", default=0, show_default=True, help="Which tasks --limit draws.")
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
    type=click.Choice(["no-store", "use"]),
    help="What the gateway's cache may do. What it answers is no measurement and enters no score.",
)
@packages_option
@click.option("--new-run", is_flag=True, help="Start afresh, though the same run is there, finished or not.")
@click.option(
    "--post/--no-post",
    default=None,
    help="Hand the scorecards to the gateway, whose policies use them. Default: the whole ones, not the partial ones.",
)
@click.option("--json", "as_json", is_flag=True, help="Print scorecards and summary as one JSON object.")
def command(**options: Any) -> None:
    """Send SUITE through a live route, as any client would, run the code that comes back, and score it.

    SUITE is `builtin`, or the path of a suite file (.jsonl, .jsonl.gz, .json). The gateway's key is taken from
    WEIGHBRIDGE_API_KEY.

    Everything finished is on the disk at once, under .weighbridge/replays (or WEIGHBRIDGE_STATE_DIR): after an
    interruption, the same command goes on where it stopped and asks nothing twice.

    \b
      weighbridge replay builtin --route llama-3.1-70b
      weighbridge replay HumanEvalPlus-v0.1.10.jsonl.gz --policy auto --samples 1 --limit 20
    """
    chosen = Options(**{**options, "base_url": _checked(options["base_url"])})
    try:
        asyncio.run(_replay(chosen))
    except KeyboardInterrupt:
        resume = "the same command without --new-run resumes" if chosen.new_run else "the same command resumes"
        click.echo(f"stopped; what was finished is kept, and {resume}", err=True)
        raise
    except Unreachable as error:
        advice = "start one with `weighbridge serve --config FILE`, or name it with --base-url"
        raise MissingFailure(
            f"no gateway answers at {chosen.base_url} ({error}); {advice}. What was finished is kept: "
            "the same command resumes"
        ) from error
    except SandboxError as error:
        raise MissingFailure(str(error)) from error
    except Refused as error:
        raise ConfigFailure(f"{chosen.base_url} refuses: {error}") from error
    except SuiteError as error:
        raise ConfigFailure(str(error)) from error
    except (RunBusy, DamagedJournal) as error:
        raise Failure(str(error)) from error


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
    name, kind = options.target
    suite = load_suite(options.suite)
    runs = Path(os.environ.get("WEIGHBRIDGE_STATE_DIR") or ".weighbridge") / "replays"
    key = os.environ.get("WEIGHBRIDGE_API_KEY")
    async with Client(options.base_url, key, cache=options.cache, timeout_s=options.timeout) as client:
        plan = _plan(options, suite, await client.target(name, kind))
        with RunFolder(run_path(runs, plan.run_id, new=options.new_run)) as folder:
            summary = await _run(options, plan, suite, folder, client)
    click.echo(json.dumps(summary.as_json(), indent=2) if options.as_json else "\n".join(summary.lines()))
    if not summary.posted.as_wanted:
        raise MissingFailure(f"scorecards {summary.posted.note}; mend that, and the same command hands them over")


def _plan(options: Options, suite: Suite, target: Target) -> Plan:
    return Plan.of(
        suite,
        target,
        options.base_url,
        sampling=options.sampling,
        samples=options.samples,
        limit=options.limit,
        seed=options.seed,
        cache=options.cache,
    )


async def _run(options: Options, plan: Plan, suite: Suite, folder: RunFolder, client: Client) -> Summary:
    limits = Limits(options.concurrency, os.cpu_count() or 1)
    facts = opened(folder, plan, limits, Retries(options.retries), options.command)
    progress = Progress(f"{plan.suite_name} on {plan.target.name}", plan.total)
    started = time.monotonic()
    async with Judge(suite, sandbox(options.packages), parallel=limits.judging) as judge:
        replay = Replay(plan, folder, client, judge, progress, limits=limits, retries=Retries(options.retries))
        async with shown(progress, sys.stderr):
            await replay.run()
    cards = scorecards(plan, folder, facts)
    folder.write("scorecards.json", {"scorecards": [asdict(card) for card in cards]})
    return Summary(
        plan=plan,
        folder=folder.path,
        tally=progress.tally,
        cards=cards,
        asked_now=replay.asked,
        seconds=time.monotonic() - started,
        posted=await _posted(options, plan, cards, client),
        command=shlex.join(options.command),
    )


async def _posted(options: Options, plan: Plan, cards: list[Scorecard], client: Client) -> Posted:
    """A gateway keeps one scorecard a run: handing it over again changes nothing, and mends a gateway that lost it."""
    if options.post is False:
        return Posted(True, "not posted (--no-post)")
    if not plan.target.is_gateway:
        return Posted(True, "not posted: no Weighbridge gateway")
    wanted = [card for card in cards if options.post or not card.partial]
    if not wanted:
        return Posted(True, "not posted: partial (--post does)")
    if options.post is None and any(card.unscorable > MAX_UNSCORED_SHARE * card.asked for card in wanted):
        return Posted(False, "not posted: our own sandbox failed, and that is no reason to doubt a route")
    try:
        await client.post(wanted)
    except (Refused, Unreachable) as error:
        return Posted(False, f"NOT posted: {error}")
    return Posted(True, f"posted ({len(wanted)})")
