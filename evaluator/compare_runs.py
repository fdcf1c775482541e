"""Before and after: two measurements of the same tasks, side by side."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from evaluator.paired import Paired, TaskScore, holm_over_languages, pair
from evaluator.scorecards import Group, Subject, Tally, scorecard, settled_samples
from evaluator.statistics import source_problem
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder
from policies.scorecard import ALL_LANGUAGES, Scorecard
from policies.snapshot import Snapshot


class Incomparable(Exception):
    """The two did not measure the same thing; the message says in what they differ."""


class Unfinished(Exception):
    """The run has no result yet; the message says how to get one."""


@dataclass(frozen=True, slots=True)
class Measured:
    """``settled`` are the samples behind the scorecard, where its run is at hand; without them nothing is paired."""

    card: Scorecard
    settled: Sequence[tuple[Sample, Outcome | None]] | None = None

    @property
    def tasks(self) -> frozenset[str]:
        return frozenset(sample.task_id for sample, _ in self.settled or ())


@dataclass(frozen=True, slots=True)
class Comparison:
    before: Scorecard
    after: Scorecard
    paired: Paired | None
    notes: tuple[str, ...]
    """What a reader should know before believing the difference."""


def read_run(path: Path) -> list[Measured]:
    """A finished replay, whichever routes answered: a measurement a language, and one of all if there are several.

    Raises Unfinished, DamagedJournal, RunBusy.
    """
    with RunFolder(path) as folder:
        manifest, written = folder.read("manifest.json"), folder.read("scorecards.json")
        if manifest is None or written is None:
            again = f"; `{manifest['command']}` goes on with it" if manifest else ""
            raise Unfinished(f"the run in {path} is not finished{again}")
        settled = [(_without_answer(sample), outcome) for sample, outcome in settled_samples(folder)]
    cards = Snapshot.decode(msgspec.json.encode(written)).scorecards
    partial = bool(manifest["partial"]) or ("until" in manifest and any(card.partial for card in cards))
    languages = {card.language for card in cards} - {ALL_LANGUAGES}
    if len(languages) == 1:
        return [_measured(manifest, languages.pop(), settled, partial=partial)]
    by_language: dict[str, list[tuple[Sample, Outcome | None]]] = {}
    for sample, outcome in settled:
        by_language.setdefault(sample.language, []).append((sample, outcome))
    by_language.pop("", None)  # of a run before samples told their language
    by_language[ALL_LANGUAGES] = settled
    return [_measured(manifest, language, part, partial=partial) for language, part in by_language.items()]


def compare_all(pairs: Iterable[tuple[Measured, Measured]]) -> list[Comparison]:
    """Each pair, and the p-values of a suite's languages adjusted for their number. Raises Incomparable."""
    comparisons = [compare(before, after) for before, after in pairs]
    suites: dict[str, list[int]] = {}
    for index, found in enumerate(comparisons):
        if found.paired is not None and found.before.language != ALL_LANGUAGES:
            suites.setdefault(found.before.suite_hash, []).append(index)
    for family in suites.values():
        adjusted = holm_over_languages([paired for index in family if (paired := comparisons[index].paired)])
        for index, paired in zip(family, adjusted, strict=True):
            comparisons[index] = replace(comparisons[index], paired=paired)
    return comparisons


def compare(before: Measured, after: Measured) -> Comparison:
    """Where runs asked different tasks of the suite, only those that both asked count. Raises Incomparable."""
    _check_suites(before.card, after.card)
    notes = _differences(before.card, after.card)
    if before.settled is None or after.settled is None:
        partial = [card.run_id for card in (before.card, after.card) if card.partial]
        if partial:
            raise Incomparable(f"{' and '.join(partial)}: a part of the suite only; name the folders of both runs")
        return Comparison(before.card, after.card, None, notes)
    common = before.tasks & after.tasks
    if not common:
        raise Incomparable("the two runs asked different tasks of the suite: none in common")
    if before.tasks != after.tasks:
        notes = (*notes, f"only the {len(common)} tasks that both runs asked are compared")
        before, after = _restricted(before, common), _restricted(after, common)
    paired = pair(_scores(before), _scores(after), len(common))
    return Comparison(before.card, after.card, paired, notes)


def _check_suites(before: Scorecard, after: Scorecard) -> None:
    if (before.suite, before.language) != (after.suite, after.language):
        raise Incomparable(
            f"before is {before.suite} in {before.language}, after is {after.suite} in {after.language}:"
            " two runs of the same suite can be compared"
        )
    if before.suite_hash != after.suite_hash:
        raise Incomparable(
            f"{before.suite} is not the same suite on both sides: its contents' hash is {before.suite_hash[:12]} before"
            f" and {after.suite_hash[:12]} after; replay the older side again"
        )


def _differences(before: Scorecard, after: Scorecard) -> tuple[str, ...]:
    """Of the measurements themselves, not of what they found."""
    notes = []
    if before.repetitions != after.repetitions:
        notes.append(f"samples a task: {before.repetitions} before, {after.repetitions} after")
    for name, path in (("sampling", ("sampling",)), ("calls in flight", ("limits", "concurrency"))):
        one, other = _found(before.manifest, path), _found(after.manifest, path)
        if None not in (one, other) and one != other:
            notes.append(f"{name}: {_shown(one)} before, {_shown(other)} after")
    return tuple(notes)


def _found(manifest: object, path: tuple[str, ...]) -> Any:
    for step in path:
        manifest = manifest.get(step) if isinstance(manifest, dict) else None
    return manifest


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


def _restricted(measured: Measured, tasks: Collection[str]) -> Measured:
    assert measured.settled is not None
    settled = [(sample, outcome) for sample, outcome in measured.settled if sample.task_id in tasks]
    return _measured(dict(measured.card.manifest), measured.card.language, settled, partial=True)


def _measured(
    manifest: dict[str, Any], language: str, settled: Sequence[tuple[Sample, Outcome | None]], *, partial: bool
) -> Measured:
    tally = Tally()
    for sample, outcome in settled:
        if outcome is None:
            tally.add_repeat()
        else:
            tally.add(sample, outcome)
    subject = Subject(manifest["run_id"], manifest["suite"], manifest["suite_hash"], manifest["samples"])
    target = manifest["target"]
    group = Group(target["name"], target["revision"], language)
    return Measured(scorecard(subject, group, tally, manifest, partial=partial), settled)


def _scores(measured: Measured) -> dict[str, TaskScore]:
    scores: dict[str, TaskScore] = {}
    for sample, outcome in measured.settled or ():
        if outcome is not None and outcome.status.scored:
            so_far = scores.get(sample.task_id, TaskScore(0, 0, source_problem(sample.task_id, sample.language)))
            passes = so_far.passes + (outcome.status == "pass")
            scores[sample.task_id] = replace(so_far, scored=so_far.scored + 1, passes=passes)
    return scores


def _without_answer(sample: Sample) -> Sample:
    """Answers are most of a run, and not needed here."""
    return replace(sample, answer=None if sample.answer is None else "")
