"""The decision matrix for a terminal of 100 columns, as Markdown, and as JSON."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict

import msgspec

from evaluator.figures import dollars, share
from gateway.cli.matrix_rows import Facts, RouteRow, SuiteResult
from gateway.cli.table import columns, markdown, wrapped

NOTE = (
    "pass@1 is the mean over tasks, with its 95% interval; no_answer and unscorable count samples without a"
    " score. Costs and times (p50/p99: first token, whole request) are those of the same run; a solved task costs the"
    " whole run, failures too, over its passes."
)


def as_text(rows: Sequence[RouteRow]) -> str:
    """A block a route: its facts, then correctness, cost and latency a line a suite."""
    if not rows:
        return "no route is configured"
    blocks = ["\n".join(_block(row)) for row in rows]
    if not any(row.results for row in rows):
        return "\n\n".join([*blocks, "nothing is measured yet: weighbridge replay SUITE --route ROUTE"])
    return "\n\n".join([*blocks, wrapped(NOTE)])


def as_json(rows: Sequence[RouteRow], version: int) -> dict[str, object]:
    """Money in integer nano-dollars; ``card`` null where the route is unmeasured."""
    return {
        "scorecards_version": version,
        "routes": [
            {
                "route": row.name,
                **msgspec.to_builtins(row.facts),
                "results": [
                    {
                        **asdict(result),
                        "interval_95": result.interval,
                        "cost_nanousd": asdict(result.cost),
                    }
                    for result in row.results
                ],
            }
            for row in rows
        ],
    }


def as_markdown(rows: Sequence[RouteRow]) -> str:
    """A row a route; the cells of suite, correctness, cost and latency hold a line a suite, in the same order."""
    figures = {"suite": suite_name, "pass@1 (95% interval)": correctness, "tasks": _tasks, **FIGURES}
    body = []
    for row in rows:
        measured = ["<br>".join(map(shown, row.results)) or "unmeasured" for shown in figures.values()]
        body.append([row.name, *measured, *(shown(row.facts) for shown in TRAITS.values())])
    return "\n".join([*markdown([["route", *figures, *TRAITS], *body]), "", NOTE])


def _block(row: RouteRow) -> Iterator[str]:
    facts = row.facts
    state = "serving" if facts.healthy else "NOT SERVING"
    yield f"{row.name}  {state}, revision {facts.revision or 'unknown'}"
    traits = [
        facts.residency or "residency ?",
        f"licence {facts.licence or '?'}",
        f"open weights {_yes(facts.open_weights)}",
        f"context {_context(facts)}",
        f"fine-tuning {_yes(facts.fine_tuning)}",
        price(facts),
        f"languages: {_languages(facts)}",
    ]
    yield wrapped("; ".join(traits), "  ", "  ")
    if row.results:
        yield from columns([_CORRECTNESS, *map(_correctness_cells, row.results)], (0, 6), "  ")
    if measured := [result for result in row.results if result.card is not None]:
        yield from columns([_COST, *map(_cost_cells, measured)], (0,), "  ")


_CORRECTNESS = ("suite", "pass@1", "95% interval", "tasks", "no_answer", "unscorable", "")
_COST = ("cost and time", "$/1k tokens", "$/request", "$/1,000 calls", "$/solved", "ttft ms", "total ms")


def _correctness_cells(result: SuiteResult) -> tuple[str, ...]:
    card, interval = result.card, result.interval
    if card is None:
        return suite_name(result), "unmeasured", "", "", "", "", result.note
    bounds = "-" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
    unscored = str(card.no_answer), str(card.unscorable)
    return suite_name(result), share(card.pass_at_1), bounds, str(card.tasks), *unscored, result.note


def _cost_cells(result: SuiteResult) -> tuple[str, ...]:
    cost = result.cost
    amounts = (cost.per_1k_tokens, cost.per_request, cost.per_1000_calls, cost.per_solved_task)
    return suite_name(result), *map(_dollars, amounts), _first_token(result), _total(result)


def suite_name(result: SuiteResult) -> str:
    return f"{result.suite} {result.language}" + ("" if result.origin == "measured" else f" ({result.origin})")


def correctness(result: SuiteResult) -> str:
    card, interval = result.card, result.interval
    note = f" ({result.note})" if result.note else ""
    if card is None or card.pass_at_1 is None:
        return f"unmeasured{note}"
    if interval is None:
        return f"{share(card.pass_at_1)} (no interval){note}"
    return f"{share(card.pass_at_1)} ({interval[0]:.3f} to {interval[1]:.3f}){note}"


def _tasks(result: SuiteResult) -> str:
    return "-" if result.card is None else str(result.card.tasks)


def _unscored(result: SuiteResult) -> str:
    return "-" if result.card is None else f"{result.card.no_answer} / {result.card.unscorable}"


def _first_token(result: SuiteResult) -> str:
    return "-" if result.card is None else _times(result.card.ttft_p50_ms, result.card.ttft_p99_ms)


def _total(result: SuiteResult) -> str:
    return "-" if result.card is None else _times(result.card.total_p50_ms, result.card.total_p99_ms)


def _times(p50: float | None, p99: float | None) -> str:
    return "-" if p50 is None or p99 is None else f"{p50:,.0f}/{p99:,.0f}"


def _dollars(nanousd: int | None) -> str:
    return "-" if nanousd is None else dollars(nanousd)


def price(facts: Facts) -> str:
    if facts.price is None:
        return "price ?"
    cost_in, cost_out = facts.price.input_nanousd_per_million, facts.price.output_nanousd_per_million
    return f"{dollars(cost_in)} in and {dollars(cost_out)} out per million tokens"


def _context(facts: Facts) -> str:
    return "?" if facts.context_window is None else f"{facts.context_window:,}"


def _languages(facts: Facts) -> str:
    return "any" if facts.languages is None else ", ".join(facts.languages)


def _yes(fact: bool | None) -> str:
    return "?" if fact is None else "yes" if fact else "no"


FIGURES: Mapping[str, Callable[[SuiteResult], str]] = {
    "no_answer / unscorable": _unscored,
    "$ per 1k tokens": lambda result: _dollars(result.cost.per_1k_tokens),
    "$ per request": lambda result: _dollars(result.cost.per_request),
    "$ per 1,000 calls": lambda result: _dollars(result.cost.per_1000_calls),
    "$ per solved task": lambda result: _dollars(result.cost.per_solved_task),
    "first token p50 / p99, ms": _first_token,
    "total p50 / p99, ms": _total,
}
"""What was measured beside correctness, for a table: a column's name, and what stands in its cells."""

TRAITS: Mapping[str, Callable[[Facts], str]] = {
    "languages": _languages,
    "open weights": lambda facts: _yes(facts.open_weights),
    "licence": lambda facts: facts.licence or "?",
    "context": _context,
    "fine-tuning": lambda facts: _yes(facts.fine_tuning),
    "residency": lambda facts: facts.residency or "?",
}
"""What was declared of a route, in the same way."""
