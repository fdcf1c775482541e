"""Every wire beside its budgets: medians of the rounds, what is over its budget in bold."""

import statistics
from collections.abc import Callable, Sequence

from tests.bench.answers import CHUNKS
from tests.bench.phase import AT_ONCE, MANY_AT_ONCE
from tests.bench.questions import PATHS, Kind, WireName
from tests.bench.rounds import Figures, Road

REQUEST_US, CHUNK_US, P50_MS, HISTORY_P50_MS = 400, 40, 0.6, 1.5
"""The budgets."""
HEAD = (
    "",
    f"CPU a request, {AT_ONCE} at once, us",
    f"CPU a streamed chunk, {MANY_AT_ONCE} at once, us",
    "added p50, ms",
    "100 KB history: CPU a request, us",
    "100 KB history: added p50, ms",
)


def wire_rows(all_figures: Sequence[Figures]) -> list[list[str]]:
    """The budgets, then a row a wire; none where only chats were measured."""
    measured = [(figures, figures.road) for figures in all_figures if figures.road and figures.road.wires_us]
    if not measured:
        return []
    rows = [["budget", *("" if budget is None else f"<= {budget:g}" for _, budget, _ in _COLUMNS)]]
    for wire in PATHS:
        cells: list[str] = [wire]
        for value, budget, digits in _COLUMNS:
            values = [found for figures, road in measured if (found := value(figures, road, wire)) is not None]
            cells.append(_cell(values, budget, digits))
        rows.append(cells)
    return rows


def _cell(values: Sequence[float], budget: float | None, digits: int) -> str:
    if not values:
        return ""
    median = statistics.median(values)
    text = f"{median:,.{digits}f}"
    return f"**{text}**" if budget is not None and median > budget else text


def _cpu_us(figures: Figures, road: Road, wire: WireName) -> float | None:
    return figures.request_us if wire == "chat" else road.wires_us.get(Kind(wire))


def _chunk_us(figures: Figures, road: Road, wire: WireName) -> float | None:
    if wire == "chat":
        return figures.busy_chunk_us
    stream_us = road.wires_us.get(Kind(wire, stream=True))
    return None if stream_us is None else stream_us / CHUNKS


def _p50_ms(_: Figures, road: Road, wire: WireName) -> float | None:
    return road.added_p50_ms if wire == "chat" else road.wires_p50_ms.get(Kind(wire))


def _history_us(_: Figures, road: Road, wire: WireName) -> float | None:
    return road.wires_us.get(Kind(wire, "history"))


def _history_ms(_: Figures, road: Road, wire: WireName) -> float | None:
    return road.wires_p50_ms.get(Kind(wire, "history"))


_Value = Callable[[Figures, Road, WireName], float | None]
_COLUMNS: Sequence[tuple[_Value, float | None, int]] = (
    (_cpu_us, REQUEST_US, 0),
    (_chunk_us, CHUNK_US, 1),
    (_p50_ms, P50_MS, 2),
    (_history_us, None, 0),
    (_history_ms, HISTORY_P50_MS, 2),
)
"""A round's figure, its budget, and the digits after the point."""
