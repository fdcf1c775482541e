"""Goes round the routes: a small slice of each, and a word to the gateway when something has changed."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from evaluator.judging.judge import Judge
from evaluator.replaying.client import Client, Refused, Sampling, Target, Unreachable
from evaluator.store.journal import Journal
from evaluator.store.records import Outcome, Sample
from evaluator.store.run_folder import RunFolder, held
from evaluator.suites.suite import Suite
from evaluator.watching.budget import Budget
from evaluator.watching.gateway import Gateway, RouteGate, View
from evaluator.watching.scale import Scale, merged
from evaluator.watching.standing import AVERAGE_RUN_LENGTH, Gate
from evaluator.watching.webhook import tell
from evaluator.watching.weighing import Weighing
from policies.admission import Admission
from policies.languages import OF_REQUEST

log = logging.getLogger("weighbridge.watch")


@dataclass(frozen=True, slots=True)
class Settings:
    """``draws`` make a slice; rounds begin ``every_s`` after the one before ended, ``rounds`` of them (None: for ever).

    ``nanousd_per_day`` None: no limit.
    """

    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    draws: int = 4
    every_s: float = 60.0
    rest_s: float = 600.0
    nanousd_per_day: int | None = None
    webhook: str | None = None
    rounds: int | None = None
    average_run_length: float = AVERAGE_RUN_LENGTH


class Watcher:
    """``suites``: with their judges, which whoever made them has entered; by name. ``folder`` holds a run a scale."""

    def __init__(
        self,
        gateway: Gateway,
        client: Client,
        suites: Mapping[str, tuple[Suite, Judge]],
        folder: Path,
        settings: Settings,
    ) -> None:
        self._gateway = gateway
        self._client = client
        self._suites = suites
        self._folder = folder
        self._settings = settings
        self._scales: dict[tuple[str, str, str], tuple[Scale, Weighing]] = {}
        self._budget = Budget(settings.nanousd_per_day)
        self._telling: set[asyncio.Task[bool]] = set()

    async def run(self) -> None:
        """Raises Unreachable and Refused only where its first look at the gateway does, and RunBusy."""
        view = await self._gateway.view()
        if not self._gates(view.gates):
            asked = sorted({gate.suite for gate in view.gates})
            log.warning("no gate is on a suite that is named", extra={"suites": [*self._suites], "gates_on": asked})
        with held(self._folder):
            self._remember_spending()
            try:
                for number in count():
                    await self._round(view)
                    if number + 1 == self._settings.rounds:
                        return
                    await asyncio.sleep(self._settings.every_s)
                    view = await self._view() or view
            finally:
                await asyncio.gather(*self._telling)
                self._keep_only(())

    async def _view(self) -> View | None:
        """None when the gateway is away: it will be back."""
        try:
            return await self._gateway.view()
        except (Unreachable, Refused) as error:
            log.warning("the gateway does not say what to watch", extra={"reason": str(error)})
            return None

    async def _round(self, view: View) -> None:
        gates = self._gates(view.gates)
        self._keep_only(gates)
        for (route, revision, suite), wanted in gates.items():
            try:
                scale, weighing = self._scale(route, revision, suite)
                in_force = _by_gate(view.admissions, route, revision, suite)
                scale.weigh_at(wanted, in_force)
                if untold := scale.untold(in_force):
                    await self._gateway.post(untold)
                await self._announce(scale.wake(_now(), timedelta(seconds=self._settings.rest_s)))
                await self._slice(scale, weighing)
            except (Unreachable, Refused) as error:
                log.warning("a slice was cut short", extra={"route": route, "suite": suite, "reason": str(error)})

    async def _slice(self, scale: Scale, weighing: Weighing) -> None:
        for _ in range(self._settings.draws):
            number, tasks = scale.next_draw()
            if not tasks or await self._gateway.waiting(scale.target.name) > 0:
                return
            for task in tasks:
                if not self._budget.allows(_now()):
                    log.info("the day's budget is spent", extra={"route": scale.target.name})
                    return
                if (weighed := await weighing.weigh(task, number)) is None:
                    return
                self._budget.add(_now(), weighed[1].cost_nanousd)
                scale.keep(*weighed)
            await self._announce(scale.settle(number, _now()))

    async def _announce(self, rows: Sequence[Admission]) -> None:
        """What the gateway does not take, which is what moves traffic, is told again in the next round."""
        for row in rows:
            log.info("%s is %s: %s", row.route, row.state, row.reason, extra={"run_id": row.run_id})
            if self._settings.webhook is not None and row.before != row.state:
                telling = asyncio.create_task(tell(self._settings.webhook, row))
                self._telling.add(telling)
                telling.add_done_callback(self._telling.discard)
        if rows:
            await self._gateway.post(rows)

    def _gates(self, asked: Iterable[RouteGate]) -> dict[tuple[str, str, str], set[Gate]]:
        """By route, revision and suite, of the suites that there are."""
        found: dict[tuple[str, str, str], set[Gate]] = {}
        for each in asked:
            if each.suite in self._suites:
                suite, _ = self._suites[each.suite]
                spoken: Sequence[str | None] = [each.language]
                if each.language == OF_REQUEST:
                    spoken = [None, *sorted({task.language for task in suite.tasks})]  # None: where nobody knows it
                gates = (Gate(each.suite, language, each.at_least, each.confidence) for language in spoken)
                found.setdefault((each.route, each.revision, each.suite), set()).update(gates)
        return {key: merged(gates) for key, gates in found.items()}

    def _scale(self, route: str, revision: str, suite_name: str) -> tuple[Scale, Weighing]:
        key = route, revision, suite_name
        if key not in self._scales:
            suite, judge = self._suites[suite_name]
            target = Target(route, "route", revision, is_gateway=True)
            settings = self._settings
            weighing = Weighing(self._client, judge, suite, target, settings.sampling, settings.seed)
            folder = RunFolder(self._folder / f"watch-{weighing.plan.run_id}")
            folder.write("manifest.json", weighing.plan.identity)
            scale = Scale(target, suite, folder, settings.seed, settings.average_run_length)
            self._scales[key] = scale, weighing
        return self._scales[key]

    def _keep_only(self, keys: Iterable[tuple[str, str, str]]) -> None:
        for key in set(self._scales) - set(keys):
            scale, _ = self._scales.pop(key)
            scale.close()

    def _remember_spending(self) -> None:
        """Of the last day, by all runs that are on the disk."""
        spent: list[tuple[datetime, int | None]] = []
        for path in self._folder.glob("watch-*") if self._budget.is_limited else ():
            with (
                Journal(path / "samples.jsonl", Sample) as samples,
                Journal(path / "verdicts.jsonl", Outcome) as outcomes,
            ):
                costs = {outcome.key: outcome.cost_nanousd for outcome in outcomes.rows()}
                spent += [(datetime.fromisoformat(row.asked_at), costs.get(row.key)) for row in samples.rows()]
        for at, cost in sorted(spent, key=lambda each: each[0]):
            self._budget.add(at, cost)


def _by_gate(rows: Iterable[Admission], route: str, revision: str, suite: str) -> dict[Gate, Admission]:
    mine = (row for row in rows if row.gate[:3] == (route, revision, suite))
    return {Gate.of(row): row for row in mine}


def _now() -> datetime:
    return datetime.now(UTC)
