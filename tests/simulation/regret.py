"""What policies cost against an oracle that knows at every moment how good a cheap route is.

A dear route always keeps the bar. The cheap one is watched, a draw a step, and a request comes with each step. The
oracle sends it to the cheap route whenever that truly keeps the bar.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from backends.price import Price
from backends.route import Revision, Route
from evaluator.watching.standing import TOLD_AGAIN
from policies.admission import Admission, State
from policies.canary import growth
from policies.kinds import Canary
from policies.snapshot import Snapshot
from tests.simulation.standings import ADMITTED, DEMOTED, NONE, PROBATION, Standings
from tests.simulation.watching import BAR, TASKS, Difficulties, drawn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REST = 100
"""Steps until a demoted route is asked again; doubles each time that it comes to nothing."""
PRICE = 0.2
"""Of the cheap route, where the dear one costs 1."""
DEAR = 0.95
"""The dear route's mean."""
STATES: dict[int, State] = {ADMITTED: "admitted", PROBATION: "probation", DEMOTED: "demoted"}

Shares = Callable[[Ints, Ints], Floats]
"""From states, and the draws that each last told, to the cheap route's shares of requests."""


def cheapest(states: Ints, told: Ints) -> Floats:
    """The gate of a policy `cheapest`, that refuses what is unmeasured."""
    return np.asarray(states == ADMITTED, dtype=float)


def unwatched(states: Ints, told: Ints) -> Floats:
    """The same gate by one whole run of long ago, which the route passed."""
    return np.ones(len(states))


def canary(states: Ints, told: Ints) -> Floats:
    """By the policies' own function."""
    pairs, where = np.unique(np.stack([states, told]), axis=1, return_inverse=True)
    shares = [_share(int(state), int(tasks)) for state, tasks in pairs.T]
    return np.array(shares)[where.reshape(-1)]


@cache
def _share(state: int, tasks: int) -> float:
    routes = {name: Route(name, "vllm", name, Price(), revision=Revision("r")) for name in ("cheap", "dear")}
    rows = () if state == NONE else (_row(routes["cheap"], STATES[state], tasks),)
    policy = Canary(stable="dear", candidate="cheap", suite=BAR.suite, at_least=BAR.at_least)
    return growth(policy, routes, Snapshot(1, (), rows)).share


def _row(route: Route, state: State, tasks: int) -> Admission:
    return Admission(
        route=route.name,
        revision=route.revision.id,
        suite=BAR.suite,
        language=BAR.language,
        at_least=BAR.at_least,
        confidence=BAR.confidence,
        before=None,
        state=state,
        at="2026-11-23T10:00:00+00:00",
        reason="simulated",
        run_id="simulated",
        low=0.0,
        high=1.0,
        tasks=tasks,
    )


@dataclass(frozen=True, slots=True)
class World:
    """The cheap route's mean from each of these steps on."""

    name: str
    means: tuple[tuple[int, float], ...]
    steps: int

    def chances(self) -> list[Floats]:
        """At each step."""
        found: list[Floats] = []
        for (begin, mean), (end, _) in zip(self.means, (*self.means[1:], (self.steps, 0.0)), strict=True):
            found += [Difficulties("two kinds", mean).chances(TASKS)] * (end - begin)
        return found


@dataclass(frozen=True, slots=True)
class Regret:
    """Per 1,000 requests: served below the bar, solved more or fewer than by the oracle; ``cost`` over the oracle's."""

    below: float
    solved: float
    cost: float

    def cells(self) -> Sequence[str]:
        return f"{self.below:.0f}", f"{self.solved:+.1f}", f"{self.cost:+.1%}"


def regrets(world: World, policies: Mapping[str, Shares], count: int, seed: int) -> dict[str, Regret]:
    """Of each policy over ``count`` plays of the world. All see the same draws."""
    rng, standings = np.random.default_rng(seed), Standings(BAR, count, TASKS)
    told, wakes, rests = np.zeros(count, dtype=np.int64), np.full(count, -1), np.full(count, REST)
    served = {name: np.zeros(3) for name in policies}
    oracle = np.zeros(3)
    for step, chances in enumerate(world.chances()):
        mean = float(chances.mean())
        for name, shares in policies.items():
            served[name] += _served(float(shares(standings.state, told).mean()), mean)
        oracle += _served(float(mean >= BAR.at_least), mean)
        drawn(standings, chances, rng)
        _rest(standings, step, wakes, rests)
        again = (standings.state != ADMITTED) | (told == 0) | (standings.draws >= np.ceil(TOLD_AGAIN * told))
        told = np.where(again, np.where(standings.state == ADMITTED, standings.draws, 0), told)
    return {name: _regret(figures, oracle, world.steps) for name, figures in served.items()}


def _regret(served: Floats, oracle: Floats, steps: int) -> Regret:
    below, solved, cost = map(float, served - oracle)
    return Regret(1000 * below / steps, 1000 * solved / steps, cost / float(oracle[2]))


def _served(share: float, mean: float) -> Floats:
    """Requests below the bar, solved tasks and cost of one request, of which the cheap route gets a share."""
    below = share if mean < BAR.at_least else 0.0
    return np.array([below, share * mean + (1 - share) * DEAR, share * PRICE + (1 - share)])


def _rest(standings: Standings, step: int, wakes: Ints, rests: Ints) -> None:
    """Demoted routes rest; those whose rest is over begin again on probation."""
    fallen = (standings.state == DEMOTED) & (wakes < 0)
    wakes[fallen] = step + rests[fallen]
    rests[fallen] *= 2
    rests[standings.state == ADMITTED] = REST
    awake = np.flatnonzero((standings.state == DEMOTED) & (wakes <= step))
    standings.begin(awake, PROBATION)
    wakes[awake] = -1
