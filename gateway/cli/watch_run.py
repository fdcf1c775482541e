"""Watching from the command line's options on."""

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from backends.price import nano
from evaluator.judging.judge import Judge
from evaluator.replaying.client import Client, Sampling
from evaluator.suites import Suite, load_suite
from evaluator.watching.gateway import Gateway
from evaluator.watching.watcher import Settings, Watcher
from gateway.cli.asking_failures import asking
from gateway.cli.failure import ConfigFailure
from gateway.cli.sandbox import sandbox


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked by click."""

    suites: tuple[str, ...]
    base_url: str
    usd_per_day: float | None
    draws: int
    every_s: float
    rest_s: float
    rounds: int | None
    seed: int
    temperature: float
    top_p: float
    max_tokens: int
    timeout: float
    webhook: str | None
    packages: Path | None
    kind: str
    """Of sandbox."""

    @property
    def settings(self) -> Settings:
        return Settings(
            sampling=Sampling(self.temperature, self.top_p, self.max_tokens),
            seed=self.seed,
            draws=self.draws,
            every_s=self.every_s,
            rest_s=self.rest_s,
            nanousd_per_day=None if self.usd_per_day is None else nano(self.usd_per_day),
            webhook=_checked(self.webhook),
            rounds=self.rounds,
        )


async def watched(options: Options) -> None:
    """Until it is stopped, or has made its rounds. Raises Failure."""
    settings, key = options.settings, os.environ.get("WEIGHBRIDGE_API_KEY")
    folder = Path(os.environ.get("WEIGHBRIDGE_STATE_DIR") or ".weighbridge") / "watch"
    with asking(options.base_url):
        async with AsyncExitStack() as stack:
            suites: dict[str, tuple[Suite, Judge]] = {}
            for suite in map(load_suite, options.suites):
                if suite.name in suites:
                    raise ConfigFailure(f"two of the suites are called {suite.name}: a gate could mean either")
                judge = Judge(suite, sandbox(options.packages, options.kind), parallel=1)
                suites[suite.name] = suite, await stack.enter_async_context(judge)
            gateway = await stack.enter_async_context(Gateway(options.base_url, key))
            client = await stack.enter_async_context(Client(options.base_url, key, timeout_s=options.timeout))
            await Watcher(gateway, client, suites, folder, settings).run()


def _checked(webhook: str | None) -> str | None:
    if webhook is not None:
        try:
            url = httpx.URL(webhook)
        except httpx.InvalidURL as error:
            raise ConfigFailure(f"--webhook {webhook} is no URL: {error}") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigFailure(f"--webhook {webhook} is no HTTP URL")
    return webhook
