"""The figures as tables in Markdown: medians of the rounds, the budgets beside what was measured."""

import datetime
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.answers import CHUNKS
from tests.bench.phase import AT_ONCE, MANY_AT_ONCE
from tests.bench.rounds import Figures, Road
from tests.bench.systems import System
from tests.bench.wire_table import CHUNK_US, HEAD, P50_MS, REQUEST_US, wire_rows

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
DOCUMENT = Path("docs/performance.md")
Rounds = dict[str, list[Figures]]
"""The figures of each round by row, in the order of the table."""


@dataclass(frozen=True, slots=True)
class Budget:
    """``of`` gives a round's figure, in the unit of ``limit``."""

    title: str
    limit: float
    unit: str
    of: Callable[[Figures, Road], float]


BUDGETS = (
    Budget("CPU a request", REQUEST_US, "us", lambda figures, road: figures.request_us),
    Budget(
        f"CPU a streamed chunk, {MANY_AT_ONCE} at once", CHUNK_US, "us", lambda figures, road: figures.busy_chunk_us
    ),
    Budget("added at p50, 1 at once", P50_MS, "ms", lambda figures, road: road.added_p50_ms),
    Budget("RSS of a worker", 90, "MB", lambda figures, road: figures.rss_mb),
    Budget("ready after", 1.0, "s", lambda figures, road: road.ready_s),
)


def report(rounds: Rounds, systems: Sequence[System], load_before: float, command: str) -> str:
    parts = [_origin(rounds, systems, load_before, command), _main_table(rounds)]
    ours = next((row for row in rounds if "Weighbridge" in row), None)
    if ours is not None:
        parts += [f"The budgets of a Weighbridge worker. {_spans(rounds[ours])}", _budget_table(rounds[ours])]
        if wires := wire_rows(rounds[ours]):
            parts += ["The same worker on every wire; what is over its budget is in bold:", table(HEAD, wires)]
    if bases := [row for row in rounds if row == "nginx" or row.startswith("LiteLLM")]:
        parts += ["CPU against others in the same round:", _ratio_table(rounds, bases)]
    return "\n\n".join(parts) + "\n"


def _origin(rounds: Rounds, systems: Sequence[System], load_before: float, command: str) -> str:
    now = datetime.datetime.now(datetime.UTC)
    count = len(next(iter(rounds.values())))
    versions = ", ".join(f"{system.name} {system.version}" for system in systems)
    return (
        f"{now:%Y-%m-%d %H:%M} UTC, `{command}`, commit {commit()}. {machine()}. Load average over one minute:"
        f" {load_before:.1f} before, {os.getloadavg()[0]:.1f} after. {versions}. Medians of {count}"
        f" round{'s' if count > 1 else ''}."
    )


def machine() -> str:
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    memory_kb = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1])  # type: ignore[index]
    processor = f"{os.cpu_count()} x {model[1] if model else platform.machine()}"
    return f"{processor}, {memory_kb / 1e6:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}"


def commit() -> str:
    """The commit's short hash, with `+` where the tree differs; `unknown` outside a checkout."""
    try:
        said = subprocess.run(["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return said.stdout.strip()


def _main_table(rounds: Rounds) -> str:
    head = ["", f"CPU a request, {AT_ONCE} at once, us", "1 at once, us"]
    head += [f"CPU a streamed chunk, {MANY_AT_ONCE} at once, us", f"{AT_ONCE} at once, us"]
    head += ["added p50, ms", "added p99, ms", "RSS, MB", "ready, s", "pieces a stream"]
    rows = []
    for name, all_figures in rounds.items():
        row = [name, *(f"{_median(all_figures, of):,.0f}" for of in (_request, _alone))]
        row += [f"{_median(all_figures, of) / CHUNKS:,.1f}" for of in (_busy_stream, _stream)]
        roads = [figures.road for figures in all_figures if figures.road is not None]
        memory = f"{_median(all_figures, _rss):,.0f}"
        row += _road_cells(roads, memory) if roads else ["", "", memory, "", ""]
        rows.append(row)
    return table(head, rows)


def _road_cells(roads: list[Road], memory: str) -> list[str]:
    def median(of: Callable[[Road], float]) -> float:
        return statistics.median(map(of, roads))

    added = [f"{median(lambda road: road.added_p50_ms):.2f}", f"{median(lambda road: road.added_p99_ms):.2f}"]
    return [*added, memory, f"{median(lambda road: road.ready_s):.2f}", f"{median(lambda road: road.pieces):.0f}"]


def _budget_table(all_figures: list[Figures]) -> str:
    rows = []
    for budget in BUDGETS:
        values = [budget.of(figures, figures.road) for figures in all_figures if figures.road is not None]
        measured, digits = statistics.median(values), 0 if budget.limit >= 90 else 1 if budget.limit >= 10 else 2
        low, high = (f"{end:.{digits}f}" for end in (min(values), max(values)))
        met = "met" if measured <= budget.limit else "**not met**"
        unit = budget.unit
        rows.append(
            [budget.title, f"<= {budget.limit:g} {unit}", f"{measured:.{digits}f} {unit}", f"{low} to {high}", met]
        )
    return table(["", "budget", "measured", "rounds", ""], rows)


def _spans(all_figures: list[Figures]) -> str:
    median = statistics.median(figures.road.spans for figures in all_figures if figures.road is not None)
    return f"Spans that the collector got: {median:.1f} a request."


def _ratio_table(rounds: Rounds, bases: list[str]) -> str:
    kinds = (("request", _request), ("stream", _busy_stream))
    rows = []
    for name, all_figures in rounds.items():
        ratios = [_ratio(all_figures, rounds[base], of) for base in bases for _, of in kinds]
        rows.append([name, *(f"{ratio:,.1f}" if ratio >= 1 else f"{ratio:.3f}" for ratio in ratios)])
    return table(["", *(f"{kind} / {base}" for base in bases for kind, _ in kinds)], rows)


def _ratio(one: list[Figures], other: list[Figures], of: Callable[[Figures], float]) -> float:
    return statistics.median(of(a) / of(b) for a, b in zip(one, other, strict=True))


def _median(all_figures: list[Figures], of: Callable[[Figures], float]) -> float:
    return statistics.median(map(of, all_figures))


def _request(figures: Figures) -> float:
    return figures.request_us


def _alone(figures: Figures) -> float:
    return figures.alone_us


def _stream(figures: Figures) -> float:
    return figures.stream_us


def _busy_stream(figures: Figures) -> float:
    return figures.busy_stream_us


def _rss(figures: Figures) -> float:
    return figures.rss_mb


def table(head: Sequence[str], rows: list[list[str]]) -> str:
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])


def write_document(tables: str, document: Path = DOCUMENT) -> None:
    """Puts the tables between the document's marks. Raises ``ValueError`` when it has none."""
    before, begin, rest = document.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{document} has no marks {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{tables}{END}{after}")
