"""The simulations of docs/watch.md, small: they run, and say what they say there."""

import re
from pathlib import Path

import pytest

from tests.simulation.policies import BEGIN, END, table
from tests.simulation.regret import World, canary, cheapest, regrets, unwatched
from tests.simulation.watching import Difficulties, fall, stable


def test_a_route_at_its_bar_is_seldom_judged_wrongly() -> None:
    found = stable(Difficulties("two kinds", 0.80), 200, 300, seed=1)
    assert found.demoted <= 0.05 and found.admitted <= 0.07
    assert found.row()[:3] == ("two kinds", "0.80", "300")


def test_a_great_fall_is_seen_soon_and_a_small_one_maybe_not() -> None:
    great = fall(Difficulties("always or never", 0.95), 0.30, 100, 200, 200, seed=1)
    assert great.too_soon <= 0.05 and great.found == 1
    assert great.median is not None and great.median < 80
    small = fall(Difficulties("all alike", 0.95), 0.02, 100, 200, 50, seed=1)
    assert small.median is None and small.row()[-1] == "> 50"


def test_watching_keeps_requests_off_a_route_that_fell() -> None:
    world = World("falls", ((0, 0.95), (150, 0.55)), 400)
    found = regrets(world, {"cheapest": cheapest, "canary": canary, "unwatched": unwatched}, 50, seed=1)
    assert found["unwatched"].below == pytest.approx(625)
    assert found["cheapest"].below < 200 and found["canary"].below < 200
    assert found["unwatched"].solved < found["cheapest"].solved


def test_the_page_has_a_place_for_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "watch.md").read_text()
    assert len(re.findall(f"{BEGIN}.*{END}", page, re.DOTALL)) == 1
    assert table(("a", "b"), iter([("x", "1")]), 1) == "| a | b |\n|---|--:|\n| x | 1 |"
    assert capsys.readouterr().out.count("|") == 9
