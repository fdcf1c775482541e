"""How large a canary's share is: a function of the evidence alone, so it never grows by mere time or traffic.

- Nothing measured yet, or not at least the bar: the start.
- The mean is at least the bar: the start times ``grow`` for every ``every`` tasks that were scored, up to ``until``.
- The upper confidence bound is below the bar: nothing. What watching has decided about the bar goes before scorecards.

A candidate that is truly worse is sent little, because its mean seldom is at the bar while few tasks are scored, and
soon nothing; one that is truly better needs log(until / start) / log(grow) steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

from backends.route import Route
from policies.admission import Admission, speaking
from policies.correctness import Correctness
from policies.kinds import Canary
from policies.requirements import refusal
from policies.scorecard import Evidence, Origin, Scorecard


@dataclass(frozen=True, slots=True)
class Growth:
    """The candidate's ``share`` of the sessions. ``reason`` is a clause for people, ``run_id`` what it rests on."""

    share: float
    reason: str
    run_id: str | None = None
    origin: Origin | None = None


def growth(canary: Canary, routes: Mapping[str, Route], evidence: Evidence) -> Growth:
    """``routes`` holds both of the canary's."""
    candidate, stable = routes[canary.candidate], routes[canary.stable]
    bar, of_bar = bar_of(canary, stable, evidence)
    if bar is None:
        return Growth(canary.start, f"the start, as {of_bar}")
    rows = evidence.admissions(candidate.name, candidate.revision.id, canary.suite, canary.language)
    watched = speaking(rows, bar, canary.confidence)
    if watched is not None and watched.state != "admitted":
        return _not_admitted(canary, watched)
    card = evidence.scorecard(candidate.name, candidate.revision.id, canary.suite, canary.language)
    tasks = watched.tasks if watched is not None else 0
    if card is not None and card.pass_at_1 is not None and refusal("canary", card) is None:
        return _by_scorecard(canary, card, bar, of_bar, max(tasks, card.tasks), trusted=watched is not None)
    if watched is not None:
        share, schedule = _steps(canary, tasks)
        return Growth(share, f"{schedule}; {watched.reason}", watched.run_id, "measured")
    return Growth(canary.start, f"the start, as {_unusable(canary, candidate, card)}", card.run_id if card else None)


def _by_scorecard(canary: Canary, card: Scorecard, bar: float, of_bar: str, tasks: int, *, trusted: bool) -> Growth:
    """``trusted``: watching has admitted it to this bar, so that one bad run cannot take all away."""
    correctness = Correctness.of(card)
    mean, upper = card.pass_at_1 or 0.0, correctness.upper(canary.confidence)
    shown = f"pass@1 {mean:.3f} over {card.tasks} tasks"
    if upper < bar and not trusted:
        at_most = f"at most {upper:.4f} with {canary.confidence * 100:g}% confidence"
        return Growth(0.0, f"nothing, as pass@1 is {at_most} ({shown}), below {of_bar}", card.run_id, card.origin)
    if mean < bar:
        return Growth(canary.start, f"the start, as {shown} is not at {of_bar}", card.run_id, card.origin)
    share, schedule = _steps(canary, tasks)
    return Growth(share, f"{schedule}; {shown} is at least {of_bar}", card.run_id, card.origin)


def bar_of(canary: Canary, stable: Route, evidence: Evidence) -> tuple[float | None, str]:
    """The bar and its name; None and the reason, where the stable route's is not known."""
    if canary.at_least is not None:
        return canary.at_least, f"the bar of {canary.at_least:g}"
    card = evidence.scorecard(stable.name, stable.revision.id, canary.suite, canary.language)
    if card is None or card.pass_at_1 is None or refusal("canary", card) is not None:
        return None, f"the bar is {stable.name}'s own: {_unusable(canary, stable, card)}"
    lower = Correctness.of(card).lower(canary.confidence)
    return lower, f"the bar of {lower:.3f}, {stable.name}'s lower bound in run {card.run_id}"


def _not_admitted(canary: Canary, watched: Admission) -> Growth:
    share = 0.0 if watched.state == "demoted" else canary.start
    what = "nothing" if watched.state == "demoted" else "the start"
    reason = f"{what}, as it is {watched.state} by `weighbridge watch` since {watched.at}: {watched.reason}"
    return Growth(share, reason, watched.run_id, "measured")


def _unusable(canary: Canary, route: Route, card: Scorecard | None) -> str:
    where = f"{canary.suite} ({canary.language})" if canary.language else canary.suite
    if card is None:
        return f"{route.name} is not measured on {where} at revision {route.revision.id}"
    if card.pass_at_1 is None:
        return f"no task of {where} was scored in run {card.run_id}"
    refused = refusal("canary", card)
    assert refused is not None
    return refused.reason


def _steps(canary: Canary, tasks: int) -> tuple[float, str]:
    steps = tasks // canary.every
    needed = log(canary.until / canary.start) / log(canary.grow)  # in logarithms: a power of many steps has no float
    share = canary.until if steps >= needed else canary.start * canary.grow**steps
    schedule = f"{share:.2%}, after {tasks} scored tasks"
    if share < canary.until:
        schedule += f" (the next step at {(steps + 1) * canary.every})"
    return share, schedule
