"""Cost against accuracy as an inline SVG: a mark a route, its intervals as whiskers, and a line between routes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from gateway.cli.report.axis import Axis, money_axis, share_axis
from gateway.cli.report.labels import Box, placed
from gateway.cli.report.markup import Html, element, joined

WIDTH, HEIGHT = 460, 340
_FRAME = Box(46, 30, WIDTH - 14, HEIGHT - 44)
_MARK = 5.0
_CAP = 4.0
_TICK_ROOM = 16.0
"""What a tick's text needs to its right; nearer to the frame's end it would be cut."""
_LONGEST_LABEL = 26
_FARTHEST = 4.0
"""Times the most expensive point: there the axis ends at the latest."""

Mark = Literal["frontier", "behind", "partial"]
"""Shapes, too: a full circle, an open circle, an open square."""


@dataclass(frozen=True, slots=True)
class Point:
    """``x`` in nano-dollars, ``y`` a share. An interval may end at infinity; beyond the axis a whisker has no cap."""

    label: str
    x: float
    y: float
    y_interval: tuple[float, float]
    x_interval: tuple[float, float] | None = None
    mark: Mark = "frontier"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """Through values, not pixels: the frontier's steps, or an arrow from before to after."""

    through: Sequence[tuple[float, float]]
    arrow: bool = False


def steps(corners: Sequence[tuple[float, float]]) -> Trace:
    """The frontier: whoever pays less than the next corner gets the accuracy of the last one."""
    through = list(corners[:1])
    for (_, y), (next_x, next_y) in pairwise(corners):
        through += [(next_x, y), (next_x, next_y)]
    return Trace(through)


def scatter(points: Sequence[Point], line: Trace, x_title: str, summary: str) -> Html:
    """At least one point. ``summary`` says in words what the picture shows."""
    x = money_axis(_costs(points), _FRAME.left, _FRAME.right)
    y = share_axis([value for point in points for value in (point.y, *point.y_interval)], _FRAME.bottom, _FRAME.top)
    marks = [element("g", element("title", p.title or p.label), *_whiskers(p, x, y), _mark(p, x, y)) for p in points]
    content = (*_grid(x, y, x_title), _line(line, x, y), *marks, *_labels(points, line, x, y))
    return element("svg", *content, class_="plot", viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=summary)


def _costs(points: Sequence[Point]) -> Iterator[float]:
    """What the axis has to hold. A whisker that goes far beyond every point would press them all together."""
    most = _FARTHEST * max(point.x for point in points)
    for point in points:
        yield point.x
        yield from (value for value in point.x_interval or () if value <= most)


def _grid(x: Axis, y: Axis, x_title: str) -> Iterator[Html]:
    for tick in y.ticks:
        at = y.at(tick)
        yield element("line", class_="grid", x1=_FRAME.left, x2=_FRAME.right, y1=at, y2=at)
        yield element("text", y.written(tick), x=_FRAME.left - 8, y=at + 4, text_anchor="end")
    for tick in x.ticks:
        at = x.at(tick)
        yield element("line", class_="grid", x1=at, x2=at, y1=_FRAME.top, y2=_FRAME.bottom)
        anchor, x_text = ("middle", at) if at < _FRAME.right - _TICK_ROOM else ("end", WIDTH)
        yield element("text", x.written(tick), x=x_text, y=_FRAME.bottom + 17, text_anchor=anchor)
    yield element("line", class_="axis", x1=_FRAME.left, x2=_FRAME.right, y1=_FRAME.bottom, y2=_FRAME.bottom)
    scale = f"{x_title}, logarithmic scale" if x.log else x_title
    yield element("text", f"{scale} →", class_="axis-title", x=_FRAME.right, y=HEIGHT - 8, text_anchor="end")
    yield element("text", "↑ pass@1", class_="axis-title", x=4, y=16)


def _whiskers(point: Point, x: Axis, y: Axis) -> Iterator[Html]:
    at_x, at_y = x.at(point.x), y.at(point.y)
    low, high = point.y_interval
    yield element("line", class_="whisker", x1=at_x, x2=at_x, y1=y.at(low), y2=y.at(high))
    for end in (y.at(low), y.at(high)):
        yield element("line", class_="whisker", x1=at_x - _CAP, x2=at_x + _CAP, y1=end, y2=end)
    if point.x_interval is None:
        return
    yield element(
        "line", class_="whisker", x1=x.at(point.x_interval[0]), x2=x.at(point.x_interval[1]), y1=at_y, y2=at_y
    )
    for value in point.x_interval:
        if value <= x.high:
            yield element("line", class_="whisker", x1=x.at(value), x2=x.at(value), y1=at_y - _CAP, y2=at_y + _CAP)


def _mark(point: Point, x: Axis, y: Axis) -> Html:
    at_x, at_y = x.at(point.x), y.at(point.y)
    if point.mark == "partial":
        side = 2 * _MARK - 1
        return element("rect", class_="partial", x=at_x - side / 2, y=at_y - side / 2, width=side, height=side)
    return element("circle", class_=point.mark, cx=at_x, cy=at_y, r=_MARK)


def _line(line: Trace, x: Axis, y: Axis) -> Html:
    corners = [(x.at(cost), y.at(share)) for cost, share in line.through]
    path = " ".join(f"{at_x:.1f},{at_y:.1f}" for at_x, at_y in corners)
    drawn = element("polyline", class_="arrow" if line.arrow else "steps", points=path)
    return joined([drawn, _arrow_head(corners[-2], corners[-1])]) if line.arrow else drawn


def _arrow_head(start: tuple[float, float], tip: tuple[float, float]) -> Html:
    """Two strokes at the middle of the arrow: at its tip stands a mark."""
    middle = ((start[0] + tip[0]) / 2, (start[1] + tip[1]) / 2)
    dx, dy = tip[0] - start[0], tip[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5 or 1.0
    ahead, aside = (8 * dx / length, 8 * dy / length), (-5 * dy / length, 5 * dx / length)
    corners = [(middle[0] - ahead[0] + side * aside[0], middle[1] - ahead[1] + side * aside[1]) for side in (1, -1)]
    path = " ".join(f"{at_x:.1f},{at_y:.1f}" for at_x, at_y in (corners[0], middle, corners[1]))
    return element("polyline", class_="arrow", points=path)


def _labels(points: Sequence[Point], line: Trace, x: Axis, y: Axis) -> Iterator[Html]:
    anchors = [(x.at(point.x), y.at(point.y), _short(point.label)) for point in points]
    obstacles = [box for point in points for box in _obstacles(point, x, y)] + _covered(line, x, y)
    for (at_x, at_y, text), box in zip(anchors, placed(anchors, obstacles, _FRAME), strict=True):
        right = box.left > at_x
        near = box.left if right else box.right
        if min(abs(box.top - at_y), abs(box.bottom - at_y)) > 2 * _MARK:
            yield element("line", class_="leader", x1=at_x, y1=at_y, x2=near, y2=(box.top + box.bottom) / 2)
        anchor = "start" if right else "end"
        yield element("text", text, class_="label", x=near, y=box.bottom - 3, text_anchor=anchor)


def _obstacles(point: Point, x: Axis, y: Axis) -> Iterator[Box]:
    at_x, at_y = x.at(point.x), y.at(point.y)
    yield Box(at_x - _MARK, at_y - _MARK, at_x + _MARK, at_y + _MARK)
    low, high = point.y_interval
    yield Box(at_x - 1, y.at(high), at_x + 1, y.at(low))
    if point.x_interval is not None:
        yield Box(x.at(point.x_interval[0]), at_y - 1, x.at(point.x_interval[1]), at_y + 1)


def _covered(line: Trace, x: Axis, y: Axis) -> list[Box]:
    """What steps cover; a slanted arrow is not worth avoiding."""
    corners = [] if line.arrow else [(x.at(cost), y.at(share)) for cost, share in line.through]
    return [
        Box(min(x1, x2) - 1, min(y1, y2) - 1, max(x1, x2) + 1, max(y1, y2) + 1)
        for (x1, y1), (x2, y2) in pairwise(corners)
    ]


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"
