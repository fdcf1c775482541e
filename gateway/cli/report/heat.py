"""The heat map: pass@1 by suite and language. The figures stand in the cells; colour only repeats them."""

from collections.abc import Sequence

from gateway.cli.matrix_rows import RouteRow, SuiteResult
from gateway.cli.report.markup import Html, element
from gateway.cli.report.page import scrollable
from gateway.cli.report.weighed import Line, by_suite


def heat_map(rows: Sequence[RouteRow]) -> Html:
    """Languages down and routes across: there are more languages than routes, and pages are higher than wide."""
    head = element("tr", element("th", "language"), *(element("th", row.name, scope="col") for row in rows))
    bodies = (_suite(suite, lines, len(rows) + 1) for suite, lines in by_suite(rows))
    caption = element("caption", "pass@1, its 95% interval and n, the number of tasks with a score")
    return scrollable("Heat map", element("table", caption, element("thead", head), *bodies, class_="heat"), legend())


def legend() -> Html:
    scale = (element("span", f"{tenth / 10:.1f}", style=shade(tenth / 10)) for tenth in range(0, 11, 2))
    return element("p", "pass@1 ", *scale, class_="legend", aria_hidden="true")


def shade(share: float) -> str:
    """For a ``style``: how much of the heat's colour is in a cell's ground."""
    return f"--share:{share:.1%}"


def _suite(suite: str, lines: Sequence[Line], width: int) -> Html:
    title = element("tr", element("th", suite, colspan=width, scope="rowgroup"))
    return element("tbody", title, *map(_line, lines))


def _line(line: Line) -> Html:
    cells = (_cell(weighed.result) for weighed in line.weighed)
    return element("tr", element("th", line.language, scope="row"), *cells)


def _cell(result: SuiteResult) -> Html:
    card, interval = result.card, result.interval
    if card is None or card.pass_at_1 is None:
        return element("td", "unmeasured", element("small", result.note), class_="unmeasured")
    figures = "no interval" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}, n = {card.tasks}"
    note = element("small", result.note) if result.note else ""
    return element(
        "td", element("b", f"{card.pass_at_1:.3f}"), element("small", figures), note, style=shade(card.pass_at_1)
    )
