"""`make bench` runs, and its table holds numbers. No timing is asserted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert done.stdout.count("| <= ") == 5
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
