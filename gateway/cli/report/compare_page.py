"""`weighbridge compare --html`: what changed from A to B, and the tasks that flipped."""

from collections.abc import Iterator, Sequence

from evaluator.compare_runs import Comparison
from gateway.cli.compare_sides import replays, run_behind
from gateway.cli.compare_text import NOTE, figures, findings, title, who
from gateway.cli.report.flips import flipped_tasks
from gateway.cli.report.markup import Content, element
from gateway.cli.report.page import items, page, section, table


def compare_page(comparisons: Sequence[Comparison], words: tuple[str, str]) -> str:
    """``words`` are what A and B were called on the command line: from them the samples are found again."""
    sections = (section(title(comparison), *_parts(comparison, words)) for comparison in comparisons)
    notes = section("How to read this", element("p", NOTE))
    return page(f"{words[0]} → {words[1]}", ["What changed from A to B."], *sections, notes)


def _parts(comparison: Comparison, words: tuple[str, str]) -> Iterator[Content]:
    yield items([f"{side}: {who(card)}" for side, card in (("A", comparison.before), ("B", comparison.after))])
    yield table("Figures", ("", "A", "B", "change"), list(figures(comparison)))
    yield items(list(findings(comparison)))
    paired = comparison.paired
    if paired is not None and (paired.better or paired.worse):
        before = run_behind(comparison.before, words[0], replays())
        after = run_behind(comparison.after, words[1], replays())
        yield flipped_tasks(paired, before, after)
