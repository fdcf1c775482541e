"""The parts of HTML reports: markup, axes, labels and the frontier."""

import math
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.report.axis import dollars_of_tick, money_axis, share_axis
from gateway.cli.report.frontier import frontier
from gateway.cli.report.labels import Box, placed
from gateway.cli.report.markup import element, visible
from gateway.cli.report.scatter import Point, Trace, scatter, steps

ANY_TEXT = st.text(alphabet=st.characters(codec=None, exclude_categories=()))


class Read(HTMLParser):
    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(ANY_TEXT, ANY_TEXT)
def test_no_text_becomes_markup(text: str, attribute: str) -> None:
    markup = element("p", text, title=attribute).markup
    read = Read(markup)
    assert read.tags == [("p", [("title", visible(attribute))])]
    assert read.text == visible(text)
    assert markup.encode("utf-8")
    assert all(char.isprintable() or char in "\n\t" for char in markup)


def test_what_hides_is_shown() -> None:
    assert visible("a\r\n\tb\rc\x7f\u200b\ufeff\u2028") == "a\n\tb␍c⟨U+007F⟩⟨U+200B⟩⟨U+FEFF⟩⟨U+2028⟩"


def test_attributes() -> None:
    assert element("p", "", class_="a", aria_label="b", x=1.5, y=2.0, hidden=True, open=False, id=None).markup == (
        '<p class="a" aria-label="b" x="1.5" y="2" hidden></p>'
    )


@pytest.mark.parametrize(
    ("values", "log", "ticks"),
    [
        ([10_000_000, 300_000_000], True, ["$0.01", "$0.02", "$0.05", "$0.10", "$0.20"]),
        ([10_000_000, 900_000_000], True, ["$0.01", "$0.10", "$1"]),
        ([1_000, 9_000_000_000_000], True, ["$0.000001", "$0.00001", "$0.0001", "$0.001", "$0.01"]),
        ([1_000_000_000, 3_500_000_000], False, ["$0", "$1", "$2", "$3", "$4"]),
        ([0, 0], False, ["$0", "$0.50", "$1"]),
    ],
)
def test_money_is_logarithmic_where_it_spans_decades(values: list[int], log: bool, ticks: list[str]) -> None:
    axis = money_axis(values, 0, 100)
    assert axis.log == log
    assert [axis.written(tick) for tick in axis.ticks][: len(ticks)] == ticks


@given(st.lists(st.integers(0, 10**15), min_size=1))
def test_every_amount_and_tick_lies_on_the_axis_in_order(values: list[int]) -> None:
    axis = money_axis(values, 40, 400)
    places = [axis.at(value) for value in sorted(values)]
    assert places == sorted(places)
    for value in (*values, *axis.ticks):
        assert axis.low <= value <= axis.high * (1 + 1e-9)
        assert 40 <= axis.at(value) <= 400
    assert axis.at(math.inf) == 400
    assert 2 <= len(axis.ticks) <= 25


@given(st.lists(st.floats(0, 1), min_size=1))
def test_every_share_lies_on_the_axis(values: list[float]) -> None:
    axis = share_axis(values, 300, 20)
    assert all(axis.low - 1e-6 <= value <= axis.high + 1e-6 for value in values)
    assert 2 <= len(axis.ticks) <= 7


@pytest.mark.parametrize(
    ("nanousd", "written"),
    [
        (0, "$0"),
        (200_000, "$0.0002"),
        (50_000_000, "$0.05"),
        (5e8, "$0.50"),
        (2e10, "$20"),
        (2.5e9, "$2.50"),
        (150_000, "$0.00015"),
        (3 * 1e5, "$0.0003"),
    ],
)
def test_ticks_have_no_needless_zeros(nanousd: float, written: str) -> None:
    assert dollars_of_tick(nanousd) == written


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_the_frontier_is_what_nobody_dominates(points: list[tuple[int, int]]) -> None:
    def dominated(point: tuple[int, int]) -> bool:
        return any(other[0] <= point[0] and other[1] >= point[1] and other != point for other in points)

    found = frontier(points)
    assert sorted(found) == [index for index, point in enumerate(points) if not dominated(point)]
    assert [points[index] for index in found] == sorted(points[index] for index in found)


def test_names_of_neighbours_do_not_cover_each_other() -> None:
    frame = Box(0, 0, 400, 300)
    anchors = [(200.0 + 3 * n, 150.0 + 2 * n, f"route-{n}") for n in range(6)]
    boxes = placed(anchors, [Box(x - 5, y - 5, x + 5, y + 5) for x, y, _ in anchors], frame)
    for index, box in enumerate(boxes):
        assert box.outside(frame) == 0
        assert all(box.overlap(other) == 0 for other in boxes[index + 1 :])


def test_a_plot_holds_marks_whiskers_and_the_line() -> None:
    points = [
        Point("a", 1e9, 0.5, (0.4, 0.6), (0.8e9, math.inf)),
        Point("b", 2e9, 0.3, (0.2, 0.4), None, "behind"),
        Point("c", 3e9, 0.9, (0.8, 0.95), None, "partial"),
    ]
    drawn = scatter(points, steps([(1e9, 0.5), (3e9, 0.9)]), "$", "in words")
    tags = Read(drawn.markup).tags
    classes = [dict(attributes).get("class") for _, attributes in tags]
    assert classes.count("whisker") == 3 * 3 + 1 + 1, "an open end has no cap"
    assert [classes.count(name) for name in ("frontier", "behind", "partial", "steps")] == [1, 1, 1, 1]
    (line,) = (dict(attributes)["points"] for _, attributes in tags if dict(attributes).get("class") == "steps")
    assert line is not None and len(line.split()) == 3


def test_an_arrow_between_equal_points_is_drawn() -> None:
    same = Point("a", 0, 0.0, (0.0, 0.1))
    drawn = scatter([same, same], Trace([(0, 0.0), (0, 0.0)], arrow=True), "$", "no change")
    assert "nan" not in drawn.markup
