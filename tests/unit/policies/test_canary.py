"""How large a canary's share is, and why."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Revision, Route
from policies.admission import Admission, State
from policies.canary import Growth, growth
from policies.correctness import Correctness
from policies.kinds import Canary
from policies.scorecard import Scorecard
from policies.snapshot import Snapshot
from tests.simulation.canary import BAR, play

MakeCard = Callable[..., Scorecard]
REVISION = Revision().id
ROUTES = {name: Route(name, "vllm", "m", Price()) for name in ("old", "new")}
CANARY = Canary("old", "new", "humaneval+", at_least=0.8)


def grown(*cards: Scorecard, canary: Canary = CANARY, watched: tuple[Admission, ...] = ()) -> Growth:
    return growth(canary, ROUTES, Snapshot(1, cards, watched))


@pytest.fixture
def make_new(make_card: MakeCard) -> Callable[..., Scorecard]:
    """A scorecard of the candidate: passes of tasks."""

    def make(passes: int, tasks: int, **changes: Any) -> Scorecard:
        return make_card("new", REVISION, passes / tasks, tasks=tasks, **changes)

    return make


def admission(state: State, at_least: float = 0.8, tasks: int = 50) -> Admission:
    return Admission(
        "new", REVISION, "humaneval+", None, at_least, 0.95, None, state, "2026-01-02T03:04:05Z",
        "a sentence", "watch-1", 0.7, 0.9, tasks,
    )  # fmt: skip


def test_without_evidence_it_is_the_start(make_new: MakeCard) -> None:
    found = grown()
    assert found.share == 0.01 and "new is not measured on humaneval+ at revision" in found.reason
    assert grown(make_new(30, 30, partial=True)).share == 0.01
    assert "only a part of humaneval+" in grown(make_new(30, 30, partial=True)).reason


def test_each_step_needs_so_many_more_scored_tasks(make_new: MakeCard) -> None:
    shares = [grown(make_new(tasks, tasks)).share for tasks in (1, 19, 20, 39, 40, 60, 139, 140, 1000)]
    assert shares == [0.01, 0.01, 0.02, 0.02, 0.04, 0.08, 0.64, 1.0, 1.0]
    reason = grown(make_new(45, 50)).reason
    assert reason == (
        "4.00%, after 50 scored tasks (the next step at 60); pass@1 0.900 over 50 tasks is at least the bar of 0.8"
    )


def test_until_bounds_it(make_new: MakeCard) -> None:
    assert grown(make_new(164, 164), canary=replace(CANARY, until=0.5)).share == 0.5
    assert grown(make_new(9, 9), canary=replace(CANARY, start=0.3, until=0.3)).share == 0.3
    assert grown(make_new(10**6, 10**6), canary=replace(CANARY, every=1, grow=1000.0)).share == 1.0


def test_a_mean_below_the_bar_does_not_grow_and_a_bound_below_it_ends_it(make_new: MakeCard) -> None:
    found = grown(make_new(79, 100, run_id="r"))
    assert (found.share, found.run_id) == (0.01, "r") and "is not at the bar of 0.8" in found.reason
    ended = grown(make_new(60, 100))
    assert ended.share == 0.0
    assert ended.reason.startswith("nothing, as pass@1 is at most 0.6825 with 95% confidence (pass@1 0.600 over 100")


def test_without_a_bar_of_its_own_it_is_held_against_the_stable_routes_lower_bound(
    make_card: MakeCard, make_new: MakeCard
) -> None:
    canary = replace(CANARY, at_least=None)
    assert grown(make_new(99, 100), canary=canary).share == 0.01
    assert "the bar is old's own: old is not measured" in grown(make_new(99, 100), canary=canary).reason
    stable = make_card("old", REVISION, 0.9, tasks=100, run_id="of-old")
    lower = Correctness.of(stable).lower(0.95)
    good = grown(stable, make_new(90, 100), canary=canary)
    assert good.share == 0.32 and f"bar of {lower:.3f}, old's lower bound in run of-old" in good.reason
    assert grown(stable, make_new(60, 100), canary=canary).share == 0.0


def test_what_watching_decided_goes_before_a_run(make_new: MakeCard) -> None:
    card = make_new(164, 164)
    assert grown(card, watched=(admission("demoted"),)).share == 0.0
    assert grown(card, watched=(admission("probation"),)).share == 0.01
    assert "probation by `weighbridge watch` since 2026" in grown(card, watched=(admission("probation"),)).reason
    assert grown(watched=(admission("admitted", tasks=60),)).share == 0.08
    assert grown(make_new(10, 10), watched=(admission("admitted", tasks=60),)).share == 0.08
    # Admitted to a lower bar says nothing about this one; demoted from a lower one does.
    assert grown(watched=(admission("admitted", at_least=0.7),)).share == 0.01
    assert grown(card, watched=(admission("demoted", at_least=0.7),)).share == 0.0
    assert grown(card, watched=(admission("demoted", at_least=0.9),)).share == 1.0


def test_an_admitted_route_is_not_ended_by_one_bad_run_but_grows_no_more(make_new: MakeCard) -> None:
    assert grown(make_new(60, 100), watched=(admission("admitted"),)).share == 0.01


canaries = st.builds(
    Canary,
    st.just("old"),
    st.just("new"),
    st.just("humaneval+"),
    at_least=st.none() | st.floats(0.01, 0.99),
    confidence=st.floats(0.5, 0.999),
    start=st.floats(1e-6, 0.5),
    grow=st.floats(1.001, 1000),
    until=st.floats(0.5, 1),
    every=st.integers(1, 1000),
)


@given(canaries, st.integers(0, 300), st.integers(1, 300), st.booleans())
def test_it_lies_between_nothing_and_until_and_never_grows_below_the_bar(
    make_card: MakeCard, canary: Canary, passes: int, tasks: int, stable: bool
) -> None:
    passes = min(passes, tasks)
    cards = [make_card("new", REVISION, passes / tasks, tasks=tasks)]
    if stable:
        cards.append(make_card("old", REVISION, 0.8))
    found = grown(*cards, canary=canary)
    assert found.share == 0 or canary.start <= found.share <= canary.until
    assert found.reason
    if canary.at_least is not None and passes / tasks < canary.at_least:
        assert found.share <= canary.start


@given(canaries, st.integers(1, 200), st.integers(1, 200))
def test_more_tasks_without_a_failure_never_make_it_smaller(
    make_card: MakeCard, canary: Canary, one: int, other: int
) -> None:
    fewer, more = (grown(make_card("new", REVISION, 1.0, tasks=n), canary=canary) for n in sorted((one, other)))
    assert fewer.share <= more.share


@given(st.integers(0, 100), st.integers(1, 100), st.floats(0.5, 0.999))
def test_the_upper_bound_mirrors_the_lower(passes: int, tasks: int, confidence: float) -> None:
    passes = min(passes, tasks)
    upper = Correctness(passes / tasks, tasks, True).upper(confidence)
    lower_of_failures = Correctness(1 - passes / tasks, tasks, True).lower(confidence)
    assert upper == pytest.approx(1 - lower_of_failures, abs=1e-6)
    assert upper >= passes / tasks - 1e-9
    assert Correctness(passes / tasks, tasks, False).upper(confidence) >= passes / tasks - 1e-9


@pytest.mark.parametrize(("truth", "least", "most"), [(0.6, 0.0, 0.01), (0.95, 0.5, 0.7)])
def test_a_worse_candidate_gets_little_and_a_better_one_everything(truth: float, least: float, most: float) -> None:
    played = play(truth, runs=100)
    assert least <= played.share <= most
    assert played.with_all == (truth > BAR) and played.at_nothing == (truth < BAR)
