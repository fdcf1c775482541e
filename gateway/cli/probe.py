"""`weighbridge probe`: how fast a route answers requests of one size."""

import asyncio
import json
import os
import random
import shlex
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from evaluator.figures import dollars, milliseconds
from evaluator.replaying.client import CallFailed, Client, Target
from evaluator.replaying.manifest import surroundings
from evaluator.replaying.probe import Probe, Prober, figures
from gateway.cli.asking_failures import asking
from gateway.cli.failure import MissingFailure
from gateway.cli.gateway_client import base_url_option
from gateway.cli.table import columns

_PROGRESS_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, checked by click."""

    route: str
    base_url: str
    requests: int
    concurrency: int
    warmup: int
    input_tokens: int
    output_tokens: int
    seed: int | None
    timeout: float
    as_json: bool

    @property
    def probe(self) -> Probe:
        seed = random.SystemRandom().getrandbits(32) if self.seed is None else self.seed
        return Probe(self.requests, self.concurrency, self.warmup, self.input_tokens, self.output_tokens, seed)

    @property
    def command(self) -> str:
        """What repeats the measurement: without a seed, as the same prompts would find a warm cache."""
        words = ["weighbridge", "probe", "--route", self.route, "--base-url", self.base_url]
        for name in ("requests", "concurrency", "warmup", "input_tokens", "output_tokens"):
            words += [f"--{name.replace('_', '-')}", str(getattr(self, name))]
        return shlex.join(words)


@click.command()
@click.option("--route", required=True, metavar="NAME", help="The route to time: its own name pins it.")
@base_url_option
@click.option("--requests", default=50, show_default=True, type=click.IntRange(1), help="Measured requests.")
@click.option("--concurrency", default=1, show_default=True, type=click.IntRange(1), help="Requests in flight.")
@click.option("--warmup", default=3, show_default=True, type=click.IntRange(0), help="Requests before those.")
@click.option("--input-tokens", default=512, show_default=True, type=click.IntRange(32), help="Prompt's length.")
@click.option("--output-tokens", default=256, show_default=True, type=click.IntRange(1), help="Answer's length.")
@click.option("--seed", type=int, help="Makes the prompts. [default: another one each time]")
@click.option("--timeout", default=600.0, show_default=True, type=click.FloatRange(1), help="Seconds for one request.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def command(**options: Any) -> None:
    """Time a route through the gateway: first token and whole request, p50 and p99.

    Every prompt is new from its first word on and asks for no-store, so no cache helps. A few requests come first that
    fit the prompt to its length by the server's own count. Where the server takes vLLM's min_tokens and ignore_eos, all
    answers are equally long; the counts shown are the provider's.

    The result is kept in .weighbridge/probes (or WEIGHBRIDGE_STATE_DIR). The gateway's key: WEIGHBRIDGE_API_KEY.

    \b
      weighbridge probe --route llama-3.1-70b --requests 200 --concurrency 8
    """
    chosen = Options(**{**options, "base_url": options["base_url"].rstrip("/")})
    try:
        with asking(chosen.base_url):
            result = asyncio.run(_probe(chosen))
    except CallFailed as error:
        raise MissingFailure(f"{chosen.route} gives no answer: {error}") from error
    folder = Path(os.environ.get("WEIGHBRIDGE_STATE_DIR") or ".weighbridge") / "probes"
    path = _stored(folder, result)
    click.echo(json.dumps(result, indent=2) if chosen.as_json else "\n".join([*_lines(result), f"kept in {path}"]))
    if not result["figures"]["answered"]:
        raise MissingFailure(f"no request to {chosen.route} was answered")


async def _probe(options: Options) -> dict[str, Any]:
    probe = options.probe
    key = os.environ.get("WEIGHBRIDGE_API_KEY")
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    async with Client(options.base_url, key, timeout_s=options.timeout) as client:
        target = await client.target(options.route, "route")
        prober = Prober(client, target, probe)
        progress = asyncio.create_task(_progress(prober, probe.requests))
        try:
            timings, seconds = await prober.run(lambda: click.echo("warmed up; measuring", err=True))
        finally:
            progress.cancel()
    return {
        "route": target.name,
        "revision": target.revision,
        "figures": figures(timings, prober.errors, seconds),
        "manifest": _manifest(options, probe, target, measured_at, exact_length=prober.exact_length),
        "command": options.command,
        "requests": [asdict(timing) for timing in timings],
    }


def _manifest(
    options: Options, probe: Probe, target: Target, measured_at: str, *, exact_length: bool
) -> dict[str, object]:
    return {
        "target": asdict(target),
        "base_url": options.base_url,
        "probe": asdict(probe),
        "exact_length": exact_length,
        "cache": "no-store",
        "measured_at": measured_at,
        **surroundings(),
    }


async def _progress(prober: Prober, total: int) -> None:
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        errors = sum(prober.errors.values())
        click.echo(f"{prober.done}/{total} requests, {errors} errors", err=True)


def _stored(folder: Path, result: dict[str, Any]) -> Path:
    moment = result["manifest"]["measured_at"].replace(":", "").replace("+0000", "Z")
    name = "".join(c if c.isalnum() or c in "+_." else "-" for c in result["route"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{moment}-{result['manifest']['probe']['seed']}.json"
    path.write_text(json.dumps(result, indent=2))
    return path


def _lines(result: dict[str, Any]) -> list[str]:
    found, probe = result["figures"], result["manifest"]["probe"]
    rows = [
        ["", "p50", "p99"],
        ["first token", milliseconds(found["ttft_p50_ms"]), milliseconds(found["ttft_p99_ms"])],
        ["whole request", milliseconds(found["total_p50_ms"]), milliseconds(found["total_p99_ms"])],
    ]
    lines = [
        f"{result['route']} at {result['revision']}: {found['answered']}/{probe['requests']} answered, "
        f"{probe['concurrency']} in flight, {found['seconds']:.1f} s",
        *columns(rows),
        f"tokens/s: {_number(found['tokens_per_second_each'])} a request, "
        f"{_number(found['tokens_per_second_all'])} in all",
        f"tokens in: {_spread(found['input_tokens'])} (asked for {probe['input_tokens']}), "
        f"out: {_spread(found['output_tokens'])} (asked for {probe['output_tokens']})",
    ]
    if found["cost_nanousd"] is not None:
        lines.append(f"cost: {dollars(found['cost_nanousd'])}")
    if found["retried_by_gateway"]:
        lines.append(f"{found['retried_by_gateway']} retried by the gateway: not in the latencies")
    lines += [f"error x{count}: {reason}" for reason, count in list(found["errors"].items())[:3]]
    return [*lines, f"again: {result['command']}"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _spread(spread: dict[str, float] | None) -> str:
    if spread is None:
        return "-"
    low, high = spread["min"], spread["max"]
    return f"{low:g}" if low == high else f"{low:g} to {high:g}, median {spread['median']:g}"
