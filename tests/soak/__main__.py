"""`make soak`: memory under constant load, and what idle streams cost. `--hours 8` for a night."""

import asyncio
import datetime
import logging
import os
import tempfile
from pathlib import Path

import click

from tests.bench.report import commit, machine
from tests.soak.steadiness import Steadiness, steadiness
from tests.soak.streams import Streams, idle_streams

BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
DOCUMENT = Path("docs/chaos.md")
MOST_KIB_A_STREAM = 64.0
MOST_SLOPE_SHORT = {"worker": 2.0, "parent": 8.0}
MOST_SLOPE_LONG = {"worker": 0.1, "parent": 0.1}
"""MB a minute. In a minute or two the allocator's own steps are a slope, and the parent fills what it keeps: the
database's page cache, ten minutes of latencies. Over hours only a leak is one.
"""
_LONG_S = 1800


@click.command()
@click.option("--seconds", type=click.IntRange(10), default=120, show_default=True, help="Of load after the warm-up.")
@click.option("--hours", type=float, help="The same, longer.")
@click.option("--rate", type=float, default=120, show_default=True, help="Requests a second.")
@click.option("--streams", type=click.IntRange(1), default=4000, show_default=True)
@click.option("--write", is_flag=True, help=f"Put the results into {DOCUMENT}.")
def main(seconds: int, hours: float | None, rate: float, streams: int, write: bool) -> None:
    """Ends with 1 where memory grows, or a stream costs too much."""
    logging.basicConfig(level=logging.WARNING)
    load_s = seconds if hours is None else hours * 3600
    began = datetime.datetime.now(datetime.UTC)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        steady = asyncio.run(steadiness(Path(folder), min(600.0, load_s / 4), load_s, rate))
        idle = asyncio.run(idle_streams(Path(folder), streams))
    said = summary(steady, idle)
    origin = f"{began:%Y-%m-%d %H:%M} UTC, `python -m tests.soak`, commit {commit()}, {machine()}, load average"
    origin += f" {os.getloadavg()[1]:.0f}."
    click.echo(f"{origin}\n\n{said}")
    if write:
        text = DOCUMENT.read_text()
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        DOCUMENT.write_text(f"{before}{BEGIN}\n{origin}\n\n{said}{END}{after}")
    if troubles := list(trouble(steady, idle)):
        raise SystemExit("\n".join(troubles))


def trouble(steady: Steadiness, idle: Streams) -> list[str]:
    most = MOST_SLOPE_LONG if steady.seconds >= _LONG_S else MOST_SLOPE_SHORT
    found = [
        f"the {name} grows by {growth.slope:.2f} MB a minute, more than {most[name]:g}"
        for name, growth in steady.growth.items()
        if growth.slope > most[name]
    ]
    if idle.kib_each > MOST_KIB_A_STREAM:
        found.append(f"an idle stream costs {idle.kib_each:.0f} KiB, more than {MOST_KIB_A_STREAM:g}")
    return found


def summary(steady: Steadiness, idle: Streams) -> str:
    rows = [
        f"| {name} | {growth.before_mb:.1f} | {growth.after_mb:.1f} | {growth.slope:+.2f} |"
        for name, growth in steady.growth.items()
    ]
    head = ["| process | MB after the warm-up | MB at the end | slope, MB a minute |", "| --- | --: | --: | --: |"]
    what = f"{steady.requests:,} requests in {steady.seconds:,.0f} s, on five wires, whole and streamed."
    streams = (
        f"{idle.count:,} idle streams in one worker: {idle.kib_each:.1f} KiB each, {idle.descriptors:,} descriptors;"
        f" as before {idle.descriptors_s:.1f} s after their clients had left."
    )
    return "\n".join([what, "", *head, *rows, "", streams]) + "\n"


if __name__ == "__main__":
    main()
