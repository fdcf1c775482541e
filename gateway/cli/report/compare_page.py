"""`weighbridge compare --html`: what changed from A to B, and the tasks that flipped."""

from collections.abc import Iterator, Sequence

from evaluator.compare_runs import Comparison
from evaluator.figures import dollars, share
from gateway.cli.compare_sides import replays, run_behind
from gateway.cli.compare_text import NOTE, figures, findings, title, who
from gateway.cli.report.flip_bar import flip_bar
from gateway.cli.report.flips import flipped_tasks
from gateway.cli.report.heat import legend, shade
from gateway.cli.report.markup import Content, Html, element
from gateway.cli.report.page import items, page, scrollable, section, table, tiles
from gateway.cli.report.scatter import Trace
from gateway.cli.report.tradeoff import CALLS, SOLVED, Measure, plot, point
from policies.scorecard import Scorecard

_HEADLINES = {"pass@1": True, "$ per 1,000 calls": False, "first token p99": False, "whole request p99": False}
"""Figures that stand above all others, and whether more of them is better."""

_LISTED_BELOW = ("better: ", "worse: ")
"""Findings that the table of flipped tasks holds in full."""

_READING = (
    NOTE,
    "A plot's whiskers are 95% intervals. That they overlap does not say that nothing changed: both sides were asked"
    " the same tasks, so the paired test decides.",
    "Of a flipped task each side shows one answer: the first that went the way in which the side differs.",
)


def compare_page(comparisons: Sequence[Comparison], words: tuple[str, str]) -> str:
    """``words`` are what A and B were called on the command line: from them the samples are found again."""
    sections = [section(title(comparison), *_parts(comparison, words)) for comparison in comparisons]
    overview = [section("Every suite and language", _overview(comparisons))] if len(comparisons) > 1 else []
    lead = [f"What changed from A, {words[0]}, to B, {words[1]}."]
    return page(f"{words[0]} → {words[1]}", lead, *overview, *sections, section("How to read this", items(_READING)))


def _overview(comparisons: Sequence[Comparison]) -> Html:
    """A heat map of both sides, a line a suite and language."""
    head = ("suite and language", "A", "B", "change", "tasks")
    columns = element("tr", *(element("th", name, scope="col") for name in head))
    lines = (_overview_line(comparison) for comparison in comparisons)
    caption = element("caption", "pass@1")
    inner = element("table", caption, element("thead", columns), element("tbody", *lines), class_="heat")
    return scrollable("pass@1 of both sides", inner, legend())


def _overview_line(comparison: Comparison) -> Html:
    a, b = comparison.before, comparison.after
    _, *_, change = next(row for row in figures(comparison) if row[0] == "pass@1")
    shares = (element("td", share(x), style=None if x is None else shade(x)) for x in (a.pass_at_1, b.pass_at_1))
    name = element("th", f"{a.suite}, {a.language}", scope="row")
    return element("tr", name, *shares, element("td", change), element("td", str(b.tasks)))


def _parts(comparison: Comparison, words: tuple[str, str]) -> Iterator[Content]:
    rows = list(figures(comparison))
    yield items([f"{side}: {who(card)}" for side, card in (("A", comparison.before), ("B", comparison.after))])
    yield tiles([_headline(*row) for row in rows if row[0] in _HEADLINES])
    yield element("div", *_plots(comparison), class_="figures")
    yield items([line for line in findings(comparison) if not line.startswith(_LISTED_BELOW)])
    yield table("Figures", ("", "A", "B", "change"), rows)
    paired = comparison.paired
    if paired is not None and (paired.better or paired.worse):
        yield flip_bar(paired)
        before = run_behind(comparison.before, words[0], replays())
        after = run_behind(comparison.after, words[1], replays())
        yield flipped_tasks(paired, before, after)


def _headline(name: str, before: str, after: str, change: str) -> tuple[str, Content, Content]:
    shown = f"{before.split(' (')[0]} → {after.split(' (')[0]}"
    if not change.strip("+-0.%"):
        return name, shown, change
    better = change.startswith("+") == _HEADLINES[name]
    return (
        name,
        shown,
        element("span", f"{change}, {'better' if better else 'worse'}", class_="better" if better else "worse"),
    )


def _plots(comparison: Comparison) -> Iterator[Html]:
    """A and B with an arrow between them, where both have the figures."""
    for measure in (CALLS, SOLVED):
        if drawn := _plot(comparison.before, comparison.after, measure):
            yield drawn


def _plot(before: Scorecard, after: Scorecard, measure: Measure) -> Html | None:
    costs = measure.of(before), measure.of(after)
    if costs[0] is None or costs[1] is None or not before.tasks or not after.tasks:
        return None
    a = point("A", before, costs[0], measure, "behind")
    b = point("B", after, costs[1], measure, "frontier")
    summary = f"A: {share(a.y)} at {dollars(a.x)}. B: {share(b.y)} at {dollars(b.x)}."
    drawn = plot([a, b], Trace([(a.x, a.y), (b.x, b.y)], arrow=True), measure, summary)
    return element("figure", drawn, element("figcaption", summary))
