"""A share with its interval as a small picture, for a table's cell."""

from gateway.cli.report.markup import Html, element

_WIDTH, _HEIGHT = 110.0, 14.0
_EDGE = 4.0


def interval_bar(value: float, low: float, high: float) -> Html:
    """On a line from 0 to 1. Hidden from screen readers: the figures stand beside it."""
    middle = _HEIGHT / 2
    parts = (
        element("line", class_="track", x1=_at(0), x2=_at(1), y1=middle, y2=middle),
        *(element("line", class_="track", x1=_at(x), x2=_at(x), y1=middle - 2, y2=middle + 2) for x in (0, 0.5, 1)),
        element("line", class_="range", x1=_at(low), x2=_at(high), y1=middle, y2=middle),
        element("circle", class_="frontier", cx=_at(value), cy=middle, r=3.5),
    )
    return element("svg", *parts, class_="bar", viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}", aria_hidden="true")


def _at(share: float) -> float:
    return _EDGE + share * (_WIDTH - 2 * _EDGE)
