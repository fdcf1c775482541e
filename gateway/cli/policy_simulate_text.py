"""A simulation's result for a person, and as JSON."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from evaluator.figures import dollars, share
from gateway.cli.table import columns, wrapped
from policies.policy import Policy
from policies.simulation import Side, Simulation, Solved

NOT_RECORDED = (
    "not recorded, and so not weighed: what a request asked of a model (tools, images, a JSON schema) and its"
    " max_tokens, for which the length of its answer stands",
    "every route is taken to have served; tokens are counted as the route counted that answered, and none as cached"
    " where the route is another",
    "solved is what pass@1 on the suite lets expect; requests are not the suite's tasks",
)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the ledger holds of the time: requests in all, and those that cannot be decided anew, by why."""

    requests: int
    left_out: Counter[str]
    with_language: int
    """Of those that can be decided anew."""


@dataclass(frozen=True, slots=True)
class Report:
    policy: Policy
    period: tuple[datetime, datetime]
    ledger: Ledger
    found: Simulation
    suite: str
    """Empty where no route was measured on any."""
    before: Solved | None
    after: Solved | None

    @property
    def share(self) -> float:
        """Of the ledger's requests, those that the policy has a route for and that could be decided anew."""
        return self.found.requests / self.ledger.requests if self.ledger.requests else 0.0


def as_text(report: Report) -> str:
    return "\n".join([*_head(report), *_figures(report), "", *_routes(report.found), "", *_notes()])


def as_json(report: Report) -> dict[str, object]:
    found, ledger = report.found, report.ledger
    return {
        "policy": report.policy.name,
        "from": report.period[0].isoformat(),
        "to": report.period[1].isoformat(),
        "requests": ledger.requests,
        "decided_anew": found.requests,
        "share_decided_anew": report.share,
        "left_out": dict(ledger.left_out),
        "refused": found.refused,
        "moved": found.moved,
        "with_language": ledger.with_language,
        "suite": report.suite or None,
        "before": _side(found.before, report.before),
        "after": _side(found.after, report.after),
        "notes": list(NOT_RECORDED),
    }


def _side(side: Side, solved: Solved | None) -> dict[str, object]:
    routes = {route: {"requests": count, "cost_nanousd": side.costs[route]} for route, count in side.routes.items()}
    return {
        "cost_nanousd": side.cost_nanousd,
        "solved": None if solved is None else asdict(solved),
        "routes": routes,
    }


def _head(report: Report) -> Iterator[str]:
    begin, end = (f"{moment:%Y-%m-%d %H:%M}" for moment in report.period)
    ledger, found = report.ledger, report.found
    yield f"policy {report.policy.name}, {begin} to {end} UTC"
    counted = f"{found.requests:,} of {ledger.requests:,} requests ({report.share:.1%})"
    yield f"  decided anew  {counted}; {found.moved:,} go to another route"
    for reason, count in ledger.left_out.most_common():
        yield f"  left out      {count:,} {reason}"
    if found.refused:
        yield f"  refused       {found.refused:,} for which the policy has no route"
    yield f"  language      known of {ledger.with_language:,}"


def _figures(report: Report) -> Iterator[str]:
    before, after = report.found.before, report.found.after
    change = ""
    if before.cost_nanousd:
        change = f" ({after.cost_nanousd / before.cost_nanousd - 1:+.1%})"
    yield f"  cost          {dollars(before.cost_nanousd)} then, {dollars(after.cost_nanousd)} by the policy{change}"
    if not report.suite:
        yield "  solved        not known: no route was measured"
        return
    for when, solved in (("then", report.before), ("by the policy", report.after)):
        yield f"  solved        {when}: {_expected(solved)}"
    yield f"                by pass@1 on {report.suite}"


def _expected(solved: Solved | None) -> str:
    if solved is None:
        return "not known"
    low, high = solved.interval
    return (
        f"{share(solved.share)} ({low:.3f} to {high:.3f}) of {solved.requests:,} requests,"
        f" {solved.by_language:,} by their own language"
    )


def _routes(found: Simulation) -> list[str]:
    before, after = found.before.routes, found.after.routes
    rows = [("route", "requests then", "by the policy", "cost then", "by the policy")]
    for route in sorted({*before, *after}):
        costs = (dollars(found.before.costs[route]), dollars(found.after.costs[route]))
        rows.append((route, f"{before[route]:,}", f"{after[route]:,}", *costs))
    return list(columns(rows, (0,), "  ")) if len(rows) > 1 else []


def _notes() -> Iterator[str]:
    yield from (wrapped(note, "note: ", "  ") for note in NOT_RECORDED)
