"""`weighbridge matrix --html`: the decision matrix for people who choose routes."""

from collections.abc import Callable, Iterator, Sequence

from evaluator.figures import dollars
from gateway.cli.matrix_rows import RouteRow, SuiteResult
from gateway.cli.matrix_text import FIGURES, NOTE, TRAITS, correctness, price, suite_name
from gateway.cli.report.heat import heat_map
from gateway.cli.report.interval import interval_bar
from gateway.cli.report.markup import Content, Html, element
from gateway.cli.report.page import items, page, section, table, tiles
from gateway.cli.report.tradeoff import tradeoff
from gateway.cli.report.weighed import Line, Weighed, by_suite
from policies.scorecard import ALL_LANGUAGES

_READING = (
    NOTE,
    "A plot's whiskers are 95% intervals. Where the whiskers of two routes overlap widely, the suite hardly tells them"
    " apart: compare them task by task with `weighbridge compare A B`.",
    "The frontier joins the routes than which no other is both cheaper and better: full circles. Open circles lie"
    " behind it. Open squares are measured on a part of the suite only and decide nothing.",
    "The interval of the cost of a solved task is that of pass@1, carried over: the same calls would have solved more"
    " or fewer tasks. What a thousand calls cost is the run's own figure.",
    "Unmeasured is shown as unmeasured, never as zero.",
)


def matrix_page(rows: Sequence[RouteRow], version: int) -> str:
    measured = [result for row in rows for result in row.results if result.card is not None]
    lead = [f"{len(rows)} routes, {len(measured)} scorecards. {_dates(measured)}Version {version} of the evidence."]
    return page("Decision matrix", lead, *_sections(rows))


def _sections(rows: Sequence[RouteRow]) -> Iterator[Html]:
    if any(row.results for row in rows):
        yield tiles(list(_headlines(rows)))
        yield section("Cost against accuracy", *_folds(rows, tradeoff))
        yield section("Languages", heat_map(rows))
        yield section("Every figure", *_folds(rows, _figures))
    else:
        yield section("Nothing is measured yet", element("p", "Measure with: weighbridge replay SUITE --route ROUTE"))
    yield section("Routes as declared", _traits(rows))
    yield section("How to read this", items(_READING))


def _headlines(rows: Sequence[RouteRow]) -> Iterator[tuple[str, Content, Content]]:
    """The evidence's size, and the best routes on the largest suite that was measured whole."""
    serving = sum(row.facts.healthy for row in rows)
    yield "routes", str(len(rows)), f"{serving} serving"
    lines = [line for _, found in by_suite(rows) for line in found]
    languages = {line.language for line in lines} - {ALL_LANGUAGES}
    yield "suites", str(len({line.suite for line in lines})), f"{len(languages)} languages"
    whole = [(row.name, result) for row in rows for result in row.results if result.card and not result.card.partial]
    if not whole:
        return
    largest = max((result for _, result in whole), key=lambda result: result.card.tasks if result.card else 0)
    same = [(name, result) for name, result in whole if suite_name(result) == suite_name(largest)]
    name, best = max(same, key=lambda found: (found[1].card and found[1].card.pass_at_1) or 0.0)
    yield f"most accurate on {suite_name(largest)}", name, correctness(best)
    costs = [(result.cost.per_solved_task, name) for name, result in same if result.cost.per_solved_task is not None]
    if costs:
        amount, name = min(costs)
        yield f"cheapest solved task on {suite_name(largest)}", name, dollars(amount)


def _dates(measured: Sequence[SuiteResult]) -> str:
    days = sorted(result.card.measured_at[:10] for result in measured if result.card is not None)
    return f"Measured from {days[0]} to {days[-1]}. " if days else ""


def _folds(rows: Sequence[RouteRow], shown: Callable[[Line], Html]) -> Iterator[Content]:
    """A fold for each suite and language, the first one open; a suite's further languages lie in one fold more."""
    for suite, lines in by_suite(rows):
        folds = [_fold(f"{suite}, {line.language}", shown(line), opened=line is lines[0]) for line in lines]
        yield folds[0]
        if rest := folds[1:]:
            yield _fold(f"{suite}, each of {len(rest)} further languages", *rest)


def _fold(title: str, *content: Content, opened: bool = False) -> Html:
    return element("details", element("summary", title), *content, open=opened)


def _figures(line: Line) -> Html:
    head = ("route", "pass@1 (95% interval)", "", "tasks", *FIGURES)
    return table(f"{line.suite}, {line.language}", head, [_figure_row(weighed) for weighed in line.weighed])


def _figure_row(weighed: Weighed) -> list[Content]:
    result = weighed.result
    card, interval = result.card, result.interval
    if card is None or card.pass_at_1 is None or interval is None:
        return [weighed.route, correctness(result), "", *("-" for _ in range(1 + len(FIGURES)))]
    bar = interval_bar(card.pass_at_1, *interval)
    return [weighed.route, correctness(result), bar, str(card.tasks), *(shown(result) for shown in FIGURES.values())]


def _traits(rows: Sequence[RouteRow]) -> Html:
    head = ("route", "state", "revision", "price", *TRAITS)
    body = []
    for row in rows:
        state = "serving" if row.facts.healthy else "NOT SERVING"
        known = [row.name, state, row.facts.revision or "unknown", price(row.facts)]
        body.append([*known, *(shown(row.facts) for shown in TRAITS.values())])
    return table("What the gateway's configuration says", head, body, words=True)
