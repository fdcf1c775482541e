"""One replay from the command line's options to its summary."""

import os
import shlex
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from evaluator.judging.judge import Judge
from evaluator.replaying.asking import Retries
from evaluator.replaying.cache_honesty import CacheCheck
from evaluator.replaying.client import CacheMode, Client, Refused, Sampling, Target, Unreachable
from evaluator.replaying.manifest import opened
from evaluator.replaying.plan import Plan
from evaluator.replaying.progress import Progress, shown
from evaluator.replaying.replay import Limits, Replay
from evaluator.replaying.summary import Posted, Summary
from evaluator.replaying.until import Watch
from evaluator.replaying.wires import Wire
from evaluator.scorecards import scorecards
from evaluator.statistics.stopping import Bar
from evaluator.store.run_folder import RunFolder, run_path
from evaluator.suites import Suite, load_suite
from gateway.cli.asking_failures import asking
from gateway.cli.failure import ConfigFailure
from gateway.cli.replay_telemetry import evaluation_events
from gateway.cli.sandbox import sandbox
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
    until: str | None
    seed: int
    temperature: float
    top_p: float
    max_tokens: int
    cache: CacheMode
    wire: Wire
    concurrency: int
    retries: int
    timeout: float
    packages: Path | None
    kind: str
    """Of sandbox."""
    new_run: bool
    post: bool | None
    as_json: bool

    @property
    def state_dir(self) -> Path:
        return Path(os.environ.get("WEIGHBRIDGE_STATE_DIR") or ".weighbridge")

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
    def bar(self) -> Bar | None:
        if self.until is None:
            return None
        if self.limit is not None:
            raise ConfigFailure(
                "--limit and --until exclude each other: one draws a slice, the other decides when to stop"
            )
        try:
            return Bar.parse(self.until)
        except ValueError as error:
            raise ConfigFailure(f"--until {error}") from error

    @property
    def command(self) -> list[str]:
        """What repeats the measurement, with everything spelled out that its result depends on."""
        name, kind = self.target
        return ["weighbridge", "replay", self.suite, f"--{kind}", name, *self.conditions]

    @property
    def conditions(self) -> list[str]:
        """The part of the command that says how, and not what, is weighed."""
        words = ["--base-url", self.base_url, "--samples", str(self.samples)]
        if self.limit is not None:
            words += ["--limit", str(self.limit), "--seed", str(self.seed)]
        if self.until is not None:
            words += ["--until", self.until, "--seed", str(self.seed)]
        words += ["--temperature", f"{self.temperature:g}", "--top-p", f"{self.top_p:g}"]
        words += ["--max-tokens", str(self.max_tokens), "--concurrency", str(self.concurrency)]
        words += ["--packages", str(self.packages)] if self.packages else []
        words += ["--sandbox", self.kind]
        words += ["--wire", self.wire] if self.wire != "chat" else []
        return words if self.cache == "no-store" else [*words, "--cache", self.cache]


async def replayed(options: Options, label: str = "") -> Summary:
    """Runs or resumes it; ``label`` begins the line of progress. Raises Failure."""
    with asking(options.base_url, ". What was finished is kept: the same command resumes"):
        (name, kind), bar = options.target, options.bar
        suite = load_suite(options.suite)
        key = os.environ.get("WEIGHBRIDGE_API_KEY")
        client = Client(options.base_url, key, cache=options.cache, timeout_s=options.timeout, wire=options.wire)
        async with client:
            plan = _plan(options, bar, suite, await client.target(name, kind))
            if options.cache == "both" and not plan.target.is_gateway:
                raise ConfigFailure(
                    f"--cache both asks a gateway's cache, and {options.base_url} is no Weighbridge gateway"
                )
            with RunFolder(run_path(options.state_dir / "replays", plan.run_id, new=options.new_run)) as folder:
                return await _run(options, plan, suite, folder, client, label)


def _plan(options: Options, bar: Bar | None, suite: Suite, target: Target) -> Plan:
    return Plan.of(
        suite,
        target,
        options.base_url,
        sampling=options.sampling,
        samples=options.samples,
        limit=options.limit,
        seed=options.seed,
        cache=options.cache,
        wire=options.wire,
        until=bar,
    )


async def _run(options: Options, plan: Plan, suite: Suite, folder: RunFolder, client: Client, label: str) -> Summary:
    limits = Limits(options.concurrency, os.cpu_count() or 1)
    facts = opened(folder, plan, limits, Retries(options.retries), options.command)
    progress = Progress(f"{label}{plan.suite_name} on {plan.target.name}", plan.total)
    started = time.monotonic()
    watch = None if plan.until is None else Watch(plan.until, plan, folder)
    async with Judge(suite, sandbox(options.packages, options.kind), parallel=limits.judging) as judge:
        retries = Retries(options.retries)
        with _cache_check(folder, plan, client, judge) as cached:
            async with evaluation_events(plan, folder.run_id, os.environ) as on_judged, shown(progress, sys.stderr):
                replay = Replay(
                    *(plan, folder, client, judge, progress),
                    limits=limits,
                    retries=retries,
                    watch=watch,
                    cached=cached,
                    on_judged=on_judged,
                )
                await replay.run()
            outcomes = {outcome.key: outcome for outcome in folder.outcomes.rows()} if cached is not None else {}
            report = cached.report(outcomes) if cached is not None else None
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
        decision=watch.decision if watch is not None else None,
        asked_tasks=watch.asked if watch is not None else 0,
        cached=report,
    )


def _cache_check(
    folder: RunFolder, plan: Plan, client: Client, judge: Judge
) -> AbstractContextManager[CacheCheck | None]:
    return CacheCheck(folder.path, plan, client, judge) if plan.cache == "both" else nullcontext()


async def _posted(options: Options, plan: Plan, cards: list[Scorecard], client: Client) -> Posted:
    """A gateway keeps one scorecard a run: handing it over again changes nothing, and mends a gateway that lost it."""
    if options.post is False:
        return Posted(True, "not posted (--no-post)")
    if not plan.target.is_gateway:
        return Posted(True, "not posted: no Weighbridge gateway")
    if not any(card.scored for card in cards):
        return Posted(True, "not posted: no sample was scored")
    if plan.wire != "chat" and not options.post:
        return Posted(True, f"not posted: asked on the wire {plan.wire}, and scorecards are of chat (--post does)")
    wanted = [card for card in cards if card.scored and (options.post or not card.partial)]
    if not wanted:
        return Posted(True, "not posted: partial (--post does)")
    if options.post is None and any(card.unscorable > MAX_UNSCORED_SHARE * card.asked for card in wanted):
        return Posted(False, "not posted: our own sandbox failed, and that is no reason to doubt a route")
    try:
        await client.post(wanted)
    except (Refused, Unreachable) as error:
        return Posted(False, f"NOT posted: {error}")
    return Posted(True, f"posted ({len(wanted)})")
