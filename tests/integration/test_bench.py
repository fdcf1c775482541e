"""`make bench` runs, and its table holds numbers. No timing is asserted."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.bench.answers import ANSWERS, CHUNKS
from tests.bench.questions import PATHS, STREAMING, WITH_HISTORY, Kind, WireName, question
from tests.bench.report import report
from tests.bench.rounds import Figures, Road
from tests.bench.systems import weighbridge

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)
def test_the_gateway_alone_is_measured_quickly() -> None:
    command = [sys.executable, "-m", "tests.bench", "--quick", "--only", "weighbridge"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    worker = next(line for line in done.stdout.splitlines() if line.startswith("| **Weighbridge**, its worker |"))
    cells = [cell.strip() for cell in worker.strip("|").split("|")][1:]
    assert len(cells) == 9
    assert all(re.fullmatch(r"-?[\d,]+(\.\d+)?", cell) for cell in cells), cells
    assert len(re.findall(r"^\| [^|]+ \| <= .*met", done.stdout, re.MULTILINE)) == 5
    for wire in PATHS:
        row = next(line for line in done.stdout.splitlines() if line.startswith(f"| {wire} |"))
        figures = [cell.strip(" *") for cell in row.strip("|").split("|")][1:]
        assert [bool(figure) for figure in figures] == [True, wire in STREAMING, True, *[wire in WITH_HISTORY] * 2]
        assert all(re.fullmatch(r"(-?[\d,]+(\.\d+)?)?", figure) for figure in figures), row
    assert re.search(r"Spans that the collector got: [12]\.\d a request", done.stdout)


def test_budgets_are_judged_by_the_median_and_ratios_within_a_round() -> None:
    def figures(request_us: float, p50_ms: float) -> Figures:
        road = Road(ready_s=0.5, added_p50_ms=p50_ms, added_p99_ms=2, pieces=66, spans=2)
        return Figures(request_us=request_us, alone_us=500, stream_us=6600, busy_stream_us=3300, rss_mb=90, road=road)

    rounds = {
        "nginx": [figures(20, 0.1), figures(40, 0.1), figures(30, 0.1)],
        "**Weighbridge**, its worker": [figures(400, 0.7), figures(360, 0.5), figures(900, 0.9)],
    }
    said = report(rounds, [weighbridge(), weighbridge()], 1.0, "make bench")
    assert "| CPU a request | <= 400 us | 400 us | 360 to 900 | met |" in said
    assert "| CPU a streamed chunk, 32 at once | <= 40 us | 50.0 us | 50.0 to 50.0 | **not met** |" in said
    assert "| added at p50, 1 at once | <= 0.6 ms | 0.70 ms | 0.50 to 0.90 | **not met** |" in said
    assert "| RSS of a worker | <= 90 MB | 90 MB | 90 to 90 | met |" in said
    assert "| **Weighbridge**, its worker | 20.0 | 1.0 |" in said


def test_what_is_over_its_budget_is_bold_on_every_wire() -> None:
    def figures(completion_us: float) -> Figures:
        wires_us = {
            Kind("completions"): completion_us,
            Kind("completions", stream=True): 660,
            Kind("chat", "history"): 900,
        }
        wires_p50_ms = {Kind("completions"): 0.5, Kind("chat", "history"): 1.6}
        road = Road(0.5, 0.55, 2, 66, 2, wires_us, wires_p50_ms)
        return Figures(request_us=400, alone_us=500, stream_us=6600, busy_stream_us=3300, rss_mb=90, road=road)

    rounds = {"**Weighbridge**, its worker": [figures(100), figures(401), figures(402)]}
    said = report(rounds, [weighbridge()], 1.0, "make bench")
    assert "| budget | <= 400 | <= 40 | <= 0.6 |  | <= 1.5 |" in said
    assert "| chat | 400 | **50.0** | 0.55 | 900 | **1.60** |" in said
    assert "| completions | **401** | 10.0 | 0.50 |  |  |" in said
    assert "| embeddings |  |  |  |  |  |" in said


@pytest.mark.parametrize("wire", WITH_HISTORY)
def test_a_history_has_100_kilobytes_and_no_two_are_alike(wire: WireName) -> None:
    asked = question(Kind(wire, "history"), "auto")
    one, other = asked.body(), asked.body()
    assert 95_000 < len(one) < 105_000
    assert one != other
    turns = msgspec.json.decode(one)["input" if wire == "responses" else "messages"]
    assert len(turns) >= 60


@pytest.mark.parametrize("wire", STREAMING)
def test_a_stream_that_is_not_whole_is_noticed(wire: WireName) -> None:
    answer = ANSWERS[wire]
    writes = [*answer.stream, *([answer.end] if answer.end else [])]
    assert len(answer.stream) == CHUNKS
    assert answer.trouble(b"".join(writes), stream=True) is None
    assert answer.trouble(b"".join(writes[:-1]), stream=True) is not None
    assert answer.trouble(b"".join(writes[:30] + writes[31:]), stream=True) is not None
    assert answer.trouble(answer.whole, stream=False) is None
    assert answer.trouble(b"{}", stream=False) is not None
