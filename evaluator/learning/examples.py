"""What there is to learn from: tasks that several routes were asked, and how each fared."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import fsum
from pathlib import Path
from typing import Any

from evaluator.compare_runs import Unfinished
from evaluator.scorecards import settled_samples
from evaluator.statistics import source_problem
from evaluator.store.run_folder import RunFolder
from evaluator.suites.suite import Suite, Task


class NothingToLearn(Exception):
    """The runs cannot be learnt from; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class LearnedRoute:
    route: str
    revision: str


@dataclass(frozen=True, slots=True)
class Example:
    """One task. ``solved`` (share of its scored samples) and ``cost_nanousd`` (mean of a sample) are a route each, as
    ``Examples.routes`` has them.
    """

    task: Task
    problem: str
    solved: tuple[float, ...]
    cost_nanousd: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Examples:
    routes: tuple[LearnedRoute, ...]
    rows: tuple[Example, ...]
    left_out: int
    """Tasks that not every route has a score and a cost for."""
    runs: tuple[str, ...]
    suites: tuple[str, ...]
    """Each as name and hash."""


@dataclass(slots=True)
class _Samples:
    """Of one task on one route."""

    scored: int = 0
    passed: int = 0
    costs: list[int] = field(default_factory=list)


_Tasks = dict[str, tuple[Task, dict[str, _Samples]]]


def read_examples(folders: Sequence[Path], suites: Iterable[Suite]) -> Examples:
    """Of finished replays, two routes or more on the same tasks. ``suites`` have the prompts: runs do not.

    Samples from a cache, and those without a score, teach nothing. Raises NothingToLearn, Unfinished, RunBusy and
    DamagedJournal.
    """
    known = {suite.hash: suite for suite in suites}
    revisions: dict[str, set[str]] = {}
    tasks: _Tasks = {}
    asked: dict[str, None] = {}
    for path in folders:
        with RunFolder(path) as folder:
            manifest = folder.read("manifest.json")
            if manifest is None or folder.read("scorecards.json") is None:
                raise Unfinished(f"the run in {path} is not finished: the command that began it goes on with it")
            suite = _suite(manifest, known, path)
            asked[f"{suite.name} {suite.hash}"] = None
            _add(folder, manifest, suite, tasks, revisions)
    return _examples(tasks, revisions, [path.name for path in folders], list(asked))


def _suite(manifest: dict[str, Any], known: dict[str, Suite], path: Path) -> Suite:
    found = known.get(manifest["suite_hash"])
    if found is None:
        raise NothingToLearn(
            f"the run in {path} asked {manifest['suite']}, which is not among the suites: name its file with --suite"
        )
    return found


def _add(
    folder: RunFolder, manifest: dict[str, Any], suite: Suite, tasks: _Tasks, revisions: dict[str, set[str]]
) -> None:
    target = manifest["target"]
    by_id = {task.task_id: task for task in suite.tasks}
    priced = False
    for sample, outcome in settled_samples(folder):
        if outcome is None or not outcome.status.scored:
            continue
        route, revision = sample.route or target["name"], sample.revision or target["revision"]
        revisions.setdefault(route, set()).add(revision)
        _, routes = tasks.setdefault(f"{suite.hash} {sample.task_id}", (by_id[sample.task_id], {}))
        samples = routes.setdefault(route, _Samples())
        samples.scored += 1
        samples.passed += outcome.status == "pass"
        if outcome.cost_nanousd is not None:  # a busy gateway's ledger may have told too late
            samples.costs.append(outcome.cost_nanousd)
            priced = True
    if not priced:
        raise NothingToLearn(f"the run in {folder.path} does not know what its samples cost: replay through a gateway")


def _examples(tasks: _Tasks, revisions: dict[str, set[str]], runs: list[str], suites: list[str]) -> Examples:
    for route, found in revisions.items():
        if len(found) > 1:
            raise NothingToLearn(f"the runs are of {len(found)} revisions of '{route}': name those of one")
    if len(revisions) < 2:
        raise NothingToLearn(f"the runs are of {', '.join(revisions) or 'no route'}: two routes or more are needed")
    routes = sorted(revisions)
    both = [(task, found) for task, found in tasks.values() if all(r in found and found[r].costs for r in routes)]
    rows = tuple(_example(task, [found[route] for route in routes]) for task, found in both)
    chosen = tuple(LearnedRoute(route, next(iter(revisions[route]))) for route in routes)
    return Examples(chosen, rows, len(tasks) - len(rows), tuple(runs), tuple(suites))


def _example(task: Task, samples: list[_Samples]) -> Example:
    return Example(
        task,
        source_problem(task.task_id, task.language),
        tuple(each.passed / each.scored for each in samples),
        tuple(round(fsum(each.costs) / len(each.costs)) for each in samples),
    )
