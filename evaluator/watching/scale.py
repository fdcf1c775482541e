"""One route's revision on one suite: its draws so far, on the disk, and where it stands at each gate by them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from evaluator.replaying.client import Target
from evaluator.store.journal import Journal
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder
from evaluator.suites.suite import Suite, Task
from evaluator.verdict import Status
from evaluator.watching.draws import Draws
from evaluator.watching.standing import Change, Draw, Gate, Standing
from policies.admission import Admission, State

_LONGEST_REST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Changed:
    """A row of ``changes.jsonl``: what was decided when so many draws had been made."""

    after: int
    admission: Admission


class Scale:
    """Everything that it knows is in ``folder``, so that who opens it again goes on where it stopped."""

    def __init__(self, target: Target, suite: Suite, folder: RunFolder, seed: int, average_run_length: float) -> None:
        self.target = target
        self.suite = suite
        self._folder = folder
        self._average_run_length = average_run_length
        self._draws = Draws(suite, seed)
        self._tasks = {
            language: tuple(task.task_id for task in tasks) for language, tasks in self._draws.by_language().items()
        }
        self._changes = Journal(folder.path / "changes.jsonl", Changed)
        self._changed = list(self._changes.rows())
        self._drawn = _drawn(folder, suite)
        self._standings: dict[Gate, Standing] = {}

    def close(self) -> None:
        self._changes.__exit__(None, None, None)
        self._folder.__exit__(None, None, None)

    @property
    def standings(self) -> Iterable[Standing]:
        return self._standings.values()

    def weigh_at(self, gates: Iterable[Gate], in_force: Mapping[Gate, Admission]) -> None:
        """From now on at these gates; ``in_force`` is what the gateway says of them, for those never seen here."""
        known = self._standings
        self._standings = {}
        for gate in gates:
            if gate.language is None or gate.language in self._tasks:
                self._standings[gate] = known.get(gate) or self._folded(gate, in_force.get(gate))

    def next_draw(self) -> tuple[int, list[Task]]:
        """Its number and its tasks: one in each language that a gate asks for which does not rest; maybe none."""
        awake = (standing for standing in self.standings if standing.state != "demoted")
        asked = {language for standing in awake for language in self._of(standing)}
        number = max(self._drawn, default=-1) + 1
        return number, list(self._draws.of(number, [language for language in self._tasks if language in asked]))

    def keep(self, sample: Sample, outcome: Outcome) -> None:
        """On the disk when it returns."""
        self._folder.samples.append(sample)
        self._folder.outcomes.append(outcome)
        _add(self._drawn, outcome, sample.language)

    def settle(self, number: int, at: datetime) -> list[Admission]:
        """What the draw changed."""
        changes = []
        for standing in self.standings:
            if (draw := self._draw(number, standing)) is not None:
                standing.add(draw)
                if (change := standing.decided()) is not None:
                    changes.append(self._record(standing, change, at))
        return changes

    def wake(self, at: datetime, rest: timedelta) -> list[Admission]:
        """Who was demoted is asked again after a rest, which doubles each time that it comes to nothing."""
        changes = []
        for standing in self.standings:
            if standing.state == "demoted" and at >= self._rests_until(standing.gate, rest):
                changes.append(self._record(standing, standing.rest_is_over(), at))
        return changes

    def untold(self, in_force: Mapping[Gate, Admission]) -> list[Admission]:
        """Decisions that the gateway has not heard of, or has lost."""
        last = {gate: self._of_gate(gate)[-1].admission for gate in self._standings if self._of_gate(gate)}
        return [row for gate, row in last.items() if gate not in in_force or in_force[gate].at < row.at]

    def _folded(self, gate: Gate, told: Admission | None) -> Standing:
        """The gate's standing by what is on the disk. Decisions are followed as they were recorded, and as somebody
        else told the gateway, if that was later.
        """
        standing = self._standing(gate)
        if told is not None and all(change.admission.at < told.at for change in self._of_gate(gate)):
            self._note(Changed(len(self._drawn), told))
        recorded = self._of_gate(gate)
        for number in sorted(self._drawn):
            while recorded and recorded[0].after <= number:
                standing.follow(recorded.pop(0).admission.state)
            if (draw := self._draw(number, standing)) is not None:
                standing.add(draw)
        for change in recorded:
            standing.follow(change.admission.state)
        return standing

    def _standing(self, gate: Gate) -> Standing:
        tasks = {language: ids for language, ids in self._tasks.items() if gate.language in (None, language)}
        return Standing(gate, tasks, self._average_run_length)

    def _of(self, standing: Standing) -> list[str]:
        return [standing.gate.language] if standing.gate.language else list(self._tasks)

    def _draw(self, number: int, standing: Standing) -> list[Draw] | None:
        """None where it does not have all languages: an interruption cut it short, or nobody asked for them then."""
        found = self._drawn.get(number, {})
        languages = self._of(standing)
        return [found[language] for language in languages] if all(each in found for each in languages) else None

    def _rests_until(self, gate: Gate, rest: timedelta) -> datetime:
        states: list[State] = [change.admission.state for change in self._of_gate(gate)]
        since_admitted = states[len(states) - states[::-1].index("admitted") :] if "admitted" in states else states
        times = max(0, since_admitted.count("demoted") - 1)
        slept = min(rest * (1 << min(times, 20)), max(rest, _LONGEST_REST))
        demoted_at = datetime.fromisoformat(self._of_gate(gate)[-1].admission.at)
        return demoted_at + slept

    def _of_gate(self, gate: Gate) -> list[Changed]:
        return [change for change in self._changed if gate == Gate.of(change.admission)]

    def _record(self, standing: Standing, change: Change, at: datetime) -> Admission:
        gate = standing.gate
        row = Admission(
            route=self.target.name,
            revision=self.target.revision,
            suite=gate.suite,
            language=gate.language,
            at_least=gate.at_least,
            confidence=gate.confidence,
            before=change.before,
            state=change.state,
            at=at.isoformat(timespec="milliseconds"),
            reason=change.reason,
            run_id=self._folder.run_id,
            low=change.low,
            high=change.high,
            tasks=change.draws,
            failing=change.failing,
        )
        self._note(Changed(len(self._drawn), row))
        return row

    def _note(self, changed: Changed) -> None:
        self._changes.append(changed)
        self._changed.append(changed)


def merged(gates: Iterable[Gate]) -> set[Gate]:
    """Gates that differ in confidence alone are one, at the highest."""
    best: dict[Gate, float] = {}
    for gate in gates:
        key = replace(gate, confidence=0)
        best[key] = max(best.get(key, 0), gate.confidence)
    return {replace(gate, confidence=confidence) for gate, confidence in best.items()}


def _drawn(folder: RunFolder, suite: Suite) -> dict[int, dict[str, Draw]]:
    found: dict[int, dict[str, Draw]] = {}
    for outcome in folder.outcomes.rows():
        if (task := suite.task(outcome.task_id)) is not None:
            _add(found, outcome, task.language)
    return found


def _add(drawn: dict[int, dict[str, Draw]], outcome: Outcome, language: str) -> None:
    passed = outcome.status is Status.PASS if outcome.status.scored else None
    drawn.setdefault(outcome.sample, {})[language] = Draw(language, outcome.task_id, passed)
