"""When a replay stops, and how often it is wrong to: a small version of the simulation in docs/statistics.md."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.statistics.stopping import Bar, decide
from policies.bounds import betting_lower, exact_lower
from tests.simulation.stopping import Scenario, at_the_bar, played

BAR = Bar(0.80)


def singles(passes: str) -> list[list[float]]:
    return [[float(mark)] for mark in passes]


@pytest.mark.parametrize("text", ["pass_at_1 >= 0.80", "pass_at_1>=.8", " pass_at_1 >= 0.8 "])
def test_a_condition_is_read(text: str) -> None:
    assert Bar.parse(text) == BAR
    assert str(BAR) == "pass_at_1 >= 0.8"


@pytest.mark.parametrize(
    "text", ["", "pass_at_1 >= 80", "pass_at_1 >= 1.0", "pass_at_1 >= 0.0", "pass@1 >= 0.8", "0.8"]
)
def test_another_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"write 'pass_at_1 >= 0\.80'"):
        Bar.parse(text)


def test_a_good_route_is_soon_known() -> None:
    assert decide(BAR, singles("1" * 20), 164, once=True) is None
    decided = next(d for n in range(164) if (d := decide(BAR, singles("1" * n), 164, once=True)))
    assert (decided.verdict, decided.certain) == ("met", False)
    assert decided.tasks < 60 and decided.low > 141 / 164 and decided.high == 1


def test_a_bad_route_is_sooner_known() -> None:
    decided = next(d for n in range(164) if (d := decide(BAR, singles("0" * n), 164, once=True)))
    assert decided.tasks < 10 and decided.verdict in ("below", "futile")


def test_the_rest_cannot_flip_it() -> None:
    """At 97.5% 164 tasks need 142 passes: 142 before the end are enough, and 23 others too many."""
    done = decide(BAR, singles("1" * 5 + "0" * 22 + "1" * 137), 164, once=True)
    assert done is not None and (done.verdict, done.certain, done.tasks) == ("met", True, 164)
    assert exact_lower(142, 164, 0.975) >= 0.80 > exact_lower(141, 164, 0.975)
    over = decide(BAR, singles("01" * 23), 164, once=True)
    assert over is not None and over.verdict in ("below", "futile")
    slow = "1111111011" * 15  # a pace in between, with 23 failures only near the end
    last = decide(BAR, singles(slow + "00000000"), 164, once=True)
    assert last is not None and (last.verdict, last.certain) == ("futile", True)


def test_a_suite_too_small_for_the_bar_is_futile_from_the_start() -> None:
    decided = decide(BAR, [], 8, once=True)
    assert decided is not None and (decided.verdict, decided.certain, decided.tasks) == ("futile", True, 0)
    assert (decided.low, decided.high) == (0, 1)


def test_a_whole_replay_is_always_decided() -> None:
    undecided = decide(BAR, singles("1" * 131 + "0" * 33), 164, once=True)
    assert undecided is not None and (undecided.verdict, undecided.tasks) == ("undecided", 164)
    assert undecided.low == pytest.approx(131 / 164) and undecided.high == pytest.approx(131 / 164)


def test_tasks_without_a_score_prove_nothing_either_way() -> None:
    passes = singles("1" * 45)
    decided = decide(BAR, passes, 164, once=True)
    assert decided is not None and decided.verdict == "met"
    unscored: list[list[float | None]] = [[None]] * 10
    assert decide(BAR, [*passes, *unscored], 164, once=True) is None
    assert decide(BAR, unscored, 164, once=True) is None


def test_a_whole_replay_is_met_exactly_when_half_of_the_risk_suffices() -> None:
    for passes in range(55, 61):
        decided = decide(BAR, singles("1" * passes + "0" * (60 - passes)), 60, once=True)
        assert decided is not None
        assert (decided.verdict == "met") is (exact_lower(passes, 60, 0.975) >= 0.80)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1 / 3, 2 / 3, 1.0]), min_size=30, max_size=60), st.integers(0, 3))
def test_what_is_certain_of_repetitions_stays_so_whatever_follows(values: list[float], kind: int) -> None:
    tasks = 60
    decided = decide(BAR, [[x] for x in values], tasks, once=False)
    if decided is None or not decided.certain or decided.verdict == "undecided":
        return
    rest = [(0.0, 1.0, 2 / 3, (number % 4) / 3)[kind] for number in range(tasks - len(values))]
    low = betting_lower([(x, 1) for x in values + rest], 0.975)
    high = 1 - betting_lower([(1 - x, 1) for x in values + rest], 0.975)
    assert {"met": low >= 0.80, "below": high <= 0.80, "futile": low < 0.80}[decided.verdict]


@pytest.mark.parametrize("scenario", tuple(at_the_bar(60)), ids=lambda scenario: f"{scenario.name}, {scenario.samples}")
def test_peeking_after_every_task_keeps_the_error_below_alpha(scenario: Scenario) -> None:
    result = played(scenario, 200)
    assert scenario.mean == pytest.approx(0.80)
    assert result.wrong <= 0.05
    assert result.verdicts["futile"] > 100 and result.asked < 200 * scenario.tasks


def test_it_saves_where_the_answer_is_clear() -> None:
    good = played(Scenario("good", ((0.97,) * 120,), 1), 50)
    bad = played(Scenario("bad", ((0.4,) * 60, (0.2,) * 60), 3), 50)
    assert good.verdicts["met"] >= 45 and good.asked < 50 * 90
    assert bad.verdicts["met"] == 0 and bad.asked < 50 * 30
