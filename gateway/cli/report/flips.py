"""The tasks that flipped, each with an answer of both sides and what the tests said of it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.paired import Flip, Paired
from evaluator.scorecards import settled_samples
from evaluator.store.journal import DamagedJournal
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunBusy, RunFolder
from evaluator.verdict import Status
from gateway.cli.failure import Failure
from gateway.cli.report.markup import Content, Html, element, joined
from gateway.cli.report.page import scrollable

MOST_SHOWN = 200
"""Flips whose answers are in the page; the others are listed without."""
_MOST_CHARACTERS = 6000
"""Of one answer."""

Judged = Sequence[tuple[Sample, Outcome]]
"""The scored samples of one task in one run."""


@dataclass(frozen=True, slots=True)
class _Side:
    """One run's part in a flip."""

    name: str
    judged: Judged

    @property
    def statuses(self) -> str:
        return ", ".join(outcome.status.value for _, outcome in self.judged)

    def example(self, *, passing: bool) -> tuple[Sample, Outcome]:
        """The first sample that went the way in which this side differs from the other."""
        return next(pair for pair in self.judged if (pair[1].status is Status.PASS) == passing)


def flipped_tasks(paired: Paired, before: Path, after: Path) -> Html:
    """The worse ones first. ``before`` and ``after`` are the folders of the runs. Raises Failure."""
    flips = [*paired.worse, *paired.better]
    wanted = {flip.task_id for flip in flips[:MOST_SHOWN]}
    a, b = _judged(before, wanted), _judged(after, wanted)
    head = element("tr", *(element("th", name, scope="col") for name in ("task", "direction", "A", "B")))
    rows = (
        joined(_rows(flip, _Side("A", a.get(flip.task_id, [])), _Side("B", b.get(flip.task_id, [])))) for flip in flips
    )
    rest = f"; with the answers of the first {MOST_SHOWN}" if len(flips) > MOST_SHOWN else ""
    counts = f"{len(flips)} tasks flipped: {len(paired.worse)} worse, {len(paired.better)} better{rest}"
    caption = element("caption", counts)
    inner = element("table", caption, element("thead", head), element("tbody", *rows), class_="flips")
    return scrollable("Flipped tasks", inner)


def _judged(folder: Path, tasks: Collection[str]) -> dict[str, list[tuple[Sample, Outcome]]]:
    """The scored samples of some tasks. One pass over the run: only their answers are kept."""
    found: dict[str, list[tuple[Sample, Outcome]]] = {}
    try:
        with RunFolder(folder) as run:
            for sample, outcome in settled_samples(run):
                if sample.task_id in tasks and outcome is not None and outcome.status.scored:
                    found.setdefault(sample.task_id, []).append((sample, outcome))
    except (RunBusy, DamagedJournal) as error:
        raise Failure(str(error)) from error
    return found


def _rows(flip: Flip, a: _Side, b: _Side) -> Sequence[Html]:
    better = flip.after > flip.before
    direction = element("span", "▲ better" if better else "▼ worse", class_="better" if better else "worse")
    cells = [
        element("td", f"{x:.2g}", element("small", side.statuses)) for side, x in ((a, flip.before), (b, flip.after))
    ]
    row = element("tr", element("th", flip.task_id, scope="row"), element("td", direction), *cells)
    if not (a.judged and b.judged):
        return [row]
    answers = element("div", _answer(a, passing=not better), _answer(b, passing=better), class_="sides")
    more = element("details", element("summary", "both answers and what the tests said"), answers)
    return [row, element("tr", element("td", more, colspan="4"), class_="more")]


def _answer(side: _Side, *, passing: bool) -> Html:
    sample, outcome = side.example(passing=passing)
    parts: list[Content] = [element("h3", f"{side.name}: {outcome.status.value}, sample {sample.sample}")]
    if outcome.detail:
        parts.append(element("pre", outcome.detail, class_="verdict"))
    parts.append(element("pre", element("code", _cut(sample.answer or ""))))
    return element("div", *parts)


def _cut(answer: str) -> str:
    rest = len(answer) - _MOST_CHARACTERS
    return answer if rest <= 0 else f"{answer[:_MOST_CHARACTERS]}\n… and {rest} more characters"
