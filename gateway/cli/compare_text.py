"""Before and after for a terminal of 100 columns, as Markdown, and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from evaluator.compare_runs import Comparison
from evaluator.figures import dollars, milliseconds, share
from evaluator.paired import CONFIDENCE, Flip, Paired
from gateway.cli.matrix_rows import Cost, interval
from gateway.cli.table import columns, markdown, wrapped
from policies.scorecard import Scorecard

_MOST_FLIPS_SHOWN = 20
_NOT_PAIRED = "not compared task by task: the samples of both runs would be needed (name two runs, or their folders)"
NOTE = (
    "pass@1 is the mean over tasks, with its 95% interval. Times and costs are those of the same runs; a solved"
    " task costs the whole run, failures too, over its passes."
)


def as_text(comparisons: Sequence[Comparison], left_out: Sequence[str] = ()) -> str:
    """``left_out``: what the sides have measured and is not compared."""
    blocks = ["\n".join(_block(comparison)) for comparison in comparisons]
    omitted = ["\n".join(wrapped(line, "left out: ", "  ") for line in left_out)] if left_out else []
    return "\n\n".join([*blocks, *omitted, wrapped(NOTE)])


def as_markdown(comparisons: Sequence[Comparison], left_out: Sequence[str] = ()) -> str:
    sections = ["\n".join(_section(comparison)) for comparison in comparisons]
    omitted = ["\n".join(f"- left out: {line}" for line in left_out)] if left_out else []
    return "\n\n".join([*sections, *omitted, NOTE])


def as_json(comparisons: Sequence[Comparison], left_out: Sequence[str] = ()) -> dict[str, object]:
    """Money in integer nano-dollars; ``paired`` null where the samples of a side are not at hand."""
    return {
        "comparisons": [
            {
                "suite": comparison.before.suite,
                "suite_hash": comparison.before.suite_hash,
                "language": comparison.before.language,
                "before": _side(comparison.before),
                "after": _side(comparison.after),
                "paired": asdict(comparison.paired) if comparison.paired is not None else None,
                "notes": comparison.notes,
            }
            for comparison in comparisons
        ],
        "left_out": list(left_out),
    }


def _side(card: Scorecard) -> dict[str, object]:
    return {**asdict(card), "interval_95": interval(card), "cost_nanousd": asdict(Cost.of(card))}


def _block(comparison: Comparison) -> Iterator[str]:
    yield title(comparison)
    for name, card in (("A", comparison.before), ("B", comparison.after)):
        yield f"  {name}  {who(card)}"
    yield ""
    yield from columns([("", "A", "B", "change"), *figures(comparison)], (0,), "  ")
    yield ""
    yield from (wrapped(line, "  ", "    ") for line in findings(comparison))


def _section(comparison: Comparison) -> Iterator[str]:
    yield f"### {title(comparison)}"
    yield ""
    for name, card in (("A", comparison.before), ("B", comparison.after)):
        yield f"- {name}: {who(card)}"
    yield ""
    yield from markdown([("", "A", "B", "change"), *figures(comparison)])
    yield ""
    yield from (f"- {line}" for line in findings(comparison))


def title(comparison: Comparison) -> str:
    card = comparison.before
    return f"{card.suite} ({card.language}), suite hash {card.suite_hash[:12]}"


def who(card: Scorecard) -> str:
    return f"{card.route}, revision {card.revision}, run {card.run_id}, {card.measured_at[:10]}"


def figures(comparison: Comparison) -> Iterator[tuple[str, str, str, str]]:
    """A row a figure: its name, A's, B's, and the change."""
    a, b = comparison.before, comparison.after
    yield "pass@1", _correctness(a), _correctness(b), _difference(a.pass_at_1, b.pass_at_1)
    yield "tasks", str(a.tasks), str(b.tasks), ""
    yield "no_answer / unscorable", _unscored(a), _unscored(b), ""
    times = {
        "first token p50": (a.ttft_p50_ms, b.ttft_p50_ms),
        "first token p99": (a.ttft_p99_ms, b.ttft_p99_ms),
        "whole request p50": (a.total_p50_ms, b.total_p50_ms),
        "whole request p99": (a.total_p99_ms, b.total_p99_ms),
    }
    for name, (before, after) in times.items():
        yield name, milliseconds(before), milliseconds(after), _percent(before, after)
    first, second = Cost.of(a), Cost.of(b)
    costs = {
        "$ per 1k tokens": (first.per_1k_tokens, second.per_1k_tokens),
        "$ per request": (first.per_request, second.per_request),
        "$ per 1,000 calls": (first.per_1000_calls, second.per_1000_calls),
        "$ per solved task": (first.per_solved_task, second.per_solved_task),
    }
    for name, (before_cost, after_cost) in costs.items():
        yield name, _dollars(before_cost), _dollars(after_cost), _percent(before_cost, after_cost)


def findings(comparison: Comparison) -> Iterator[str]:
    """What the paired tasks say, a sentence a line."""
    paired = comparison.paired
    yield from (f"note: {note}" for note in comparison.notes)
    if paired is None:
        yield _NOT_PAIRED
        return
    yield _verdict(paired)
    yield from _change(paired)
    for name, flips in (("better", paired.better), ("worse", paired.worse)):
        if flips:
            yield f"{name}: {_listed(flips)}"
    yield f"{paired.test}: {paired.source}"


def _verdict(paired: Paired) -> str:
    left_out = f" ({paired.unpaired} without a score on one side left out)" if paired.unpaired else ""
    counts = f"{len(paired.better)} better, {len(paired.worse)} worse, {paired.alike} alike"
    verdict = f"{paired.tasks} tasks paired{left_out}: {counts}; {_p(paired.p_value)} ({paired.test}, two-sided)"
    return verdict + (f", {_p(paired.p_holm)} by Holm over {paired.languages} languages" if paired.p_holm else "")


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _change(paired: Paired) -> Iterator[str]:
    if paired.difference is not None and paired.interval is not None:
        low, high = paired.interval
        yield (
            f"change of pass@1 over these tasks: {paired.difference:+.3f}, {low:+.3f} to {high:+.3f} with"
            f" {CONFIDENCE:.0%} confidence (bootstrap over source problems)"
        )


def _listed(flips: Sequence[Flip]) -> str:
    shown = ", ".join(f"{flip.task_id} ({flip.before:.2g} to {flip.after:.2g})" for flip in flips[:_MOST_FLIPS_SHOWN])
    rest = len(flips) - _MOST_FLIPS_SHOWN
    return shown + (f" and {rest} more (--json lists all)" if rest > 0 else "")


def _correctness(card: Scorecard) -> str:
    bounds = interval(card)
    return share(card.pass_at_1) + (f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds is not None else "")


def _unscored(card: Scorecard) -> str:
    return f"{card.no_answer} / {card.unscorable}"


def _difference(before: float | None, after: float | None) -> str:
    return "" if before is None or after is None else f"{after - before:+.3f}"


def _percent(before: float | None, after: float | None) -> str:
    return "" if not before or after is None else f"{(after - before) / before:+.0%}"


def _dollars(nanousd: int | None) -> str:
    return "-" if nanousd is None else dollars(nanousd)
