"""Cost against accuracy for one suite in one language: two plots, and in words what they show."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluator.figures import dollars, share
from gateway.cli.matrix_rows import Cost, interval
from gateway.cli.report.frontier import frontier
from gateway.cli.report.markup import Html, element
from gateway.cli.report.scatter import Mark, Point, Trace, scatter, steps
from gateway.cli.report.weighed import Line, Weighed
from policies.scorecard import Scorecard


@dataclass(frozen=True, slots=True)
class Measure:
    """What is on the cost axis: its name, where its nano-dollars come from, and whether its interval is known."""

    title: str
    of_cost: Callable[[Cost], int | None]
    follows_accuracy: bool = False
    """A solved task's cost falls as accuracy rises, and so has an interval at the ends of that of pass@1."""

    def of(self, card: Scorecard) -> int | None:
        return self.of_cost(Cost.of(card))


CALLS = Measure("$ per 1,000 calls", lambda cost: cost.per_1000_calls)
SOLVED = Measure("$ per solved task", lambda cost: cost.per_solved_task, follows_accuracy=True)


def tradeoff(line: Line) -> Html:
    """What a thousand calls cost and what a solved task costs; routes that lack a figure are named."""
    return element("div", *(_figure(line.weighed, measure) for measure in (CALLS, SOLVED)), class_="figures")


def _figure(weighed: Sequence[Weighed], measure: Measure) -> Html:
    cards = [(item.route, item.result.card) for item in weighed if item.result.card is not None]
    known = [(route, card, measure.of(card)) for route, card in cards if card.tasks]
    shown = [(route, card, x) for route, card, x in known if x is not None]
    missing = [item.route for item in weighed if item.route not in {route for route, _, _ in shown}]
    left_out = f"Not shown, for want of a figure: {', '.join(missing)}." if missing else ""
    whole = [(route, x, card.pass_at_1 or 0.0) for route, card, x in shown if not card.partial]
    best = [whole[index] for index in frontier([(x, y) for _, x, y in whole])]
    best_routes = {route for route, _, _ in best}
    points = [point(route, card, x, measure, _mark(card, route in best_routes)) for route, card, x in shown]
    words = "; ".join(f"{route} ({share(y)} at {dollars(x)})" for route, x, y in best)
    summary = f"On the frontier, cheapest first: {words}." if best else "No whole suite to draw a frontier from."
    drawn = [plot(points, steps([(x, y) for _, x, y in best]), measure, summary)] if points else []
    return element("figure", *drawn, element("figcaption", f"{summary} {left_out}".strip()))


def plot(points: Sequence[Point], trace: Trace, measure: Measure, summary: str) -> Html:
    """A picture under its title; nothing but ``summary`` is read out of it."""
    title = f"pass@1 against {measure.title}"
    return element("div", element("h3", title), scatter(points, trace, measure.title, f"{title}. {summary}"))


def point(label: str, card: Scorecard, x: int, measure: Measure, mark: Mark) -> Point:
    """For a scorecard with a score. Its cost's interval is open where none may be solved."""
    y, bounds = card.pass_at_1 or 0.0, interval(card) or (0.0, 1.0)
    low, high = bounds
    x_interval = (x * y / high, x * y / low if low else math.inf) if measure.follows_accuracy else None
    written = f"{label}: {share(y)} ({low:.3f} to {high:.3f}), {dollars(x)} {measure.title.removeprefix('$ ')}"
    return Point(label, x, y, bounds, x_interval, mark, written)


def _mark(card: Scorecard, best: bool) -> Mark:
    return "partial" if card.partial else "frontier" if best else "behind"
