from math import asin, sin, sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.correctness import Correctness
from policies.pooling import FEWEST, RISK_OF_ONE, pool, shrink
from policies.scorecard import Unit
from tests.simulation.pooling import Scenario, played

# Efron and Morris, "Data analysis using Stein's estimator and its generalizations", JASA 70 (1975), 311-319, table 1.
BATTING = (18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7)


def coins(passes: int, tasks: int) -> Correctness:
    return Correctness(passes / tasks, tasks, once=True)


def test_eighteen_batters_shrink_as_published() -> None:
    averages = tuple(hits / 45 for hits in BATTING)
    mean = sum(averages) / 18
    shrunk = shrink(averages, (mean * (1 - mean) / 45,) * 18)
    assert all(1 - one.shrinkage == pytest.approx(0.212, abs=0.005) for one in shrunk)
    assert shrunk[0].estimate == pytest.approx(0.294, abs=0.001)  # Clemente, who had hit .400
    assert shrunk[-1].estimate == pytest.approx(0.242, abs=0.001)  # Alvis, who had hit .156


def test_alike_languages_are_pulled_together_and_unlike_ones_stay() -> None:
    alike = pool({str(n): coins(15 + n % 2, 20) for n in range(8)})
    assert all(one.shrunk.shrinkage == pytest.approx(5 / 7, abs=0.01) for one in alike.values())
    unlike = pool({str(n): coins(200 if n % 2 else 20, 200) for n in range(8)})
    assert all(one.shrunk.shrinkage < 0.02 for one in unlike.values())
    assert unlike["0"].mean == pytest.approx(0.10, abs=0.02)


def test_a_language_with_fewer_tasks_is_pulled_more() -> None:
    found = pool(
        {"few": coins(3, 5), "a": coins(85, 100), "b": coins(90, 100), "c": coins(95, 100), "d": coins(80, 100)}
    )
    assert found["few"].shrunk.shrinkage > 3 * found["a"].shrunk.shrinkage
    assert found["few"].own.mean is not None and found["few"].mean > found["few"].own.mean


def test_eight_passes_of_eight_prove_more_among_good_languages_than_alone() -> None:
    alone = coins(8, 8).lower(0.95)
    found = pool({str(n): coins(8, 8) for n in range(16)})
    assert alone == pytest.approx(0.688, abs=0.001)
    assert found["0"].lower(0.95) > 0.80 > alone


def test_fewer_than_four_languages_say_nothing_of_each_other() -> None:
    assert pool({str(n): coins(8, 8) for n in range(FEWEST - 1)}) == {}
    unscored = Correctness(None, 0, once=True)
    assert pool({**{str(n): coins(8, 8) for n in range(FEWEST - 1)}, "x": unscored}) == {}


def test_repetitions_are_not_tasks() -> None:
    thrice = Correctness(0.75, 20, once=False, units=(Unit(0.75, 1, 20),))
    once = coins(15, 20)
    assert pool(dict.fromkeys("abcd", thrice))["a"].mean == pool(dict.fromkeys("abcd", once))["a"].mean


@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=FEWEST, max_size=16), st.floats(0.5, 0.99))
def test_the_bound_never_promises_more_than_the_language_itself_at_a_lower_confidence(
    languages: list[tuple[int, float]], confidence: float
) -> None:
    found = pool({str(n): coins(round(share * tasks), tasks) for n, (tasks, share) in enumerate(languages)})
    for one in found.values():
        least = max(0.5, 1 - RISK_OF_ONE * (1 - confidence))
        assert 0 <= one.lower(confidence) <= one.own.lower(least) <= 1
        assert 0 <= one.mean <= 1 and 0 <= one.shrunk.shrinkage < 1
        assert one.lower(confidence) <= one.lower(confidence / 2 + 0.25) + 1e-9


def test_shrinking_has_no_order() -> None:
    rng = Random(5)
    languages = {str(n): coins(rng.randint(0, 9), 9) for n in range(10)}
    forwards, backwards = pool(languages), pool(dict(reversed(languages.items())))
    for name in languages:
        assert forwards[name].lower(0.95) == pytest.approx(backwards[name].lower(0.95), abs=1e-7)


def test_the_arcsine_scale_is_left_as_it_was_entered() -> None:
    far = pool({str(n): coins(5_000 * n, 30_000) for n in range(1, 6)})
    expected = sin(asin(sqrt((5_000 + 3 / 8) / (30_000 + 3 / 4)))) ** 2
    assert far["1"].mean == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("truth", ["alike", "spread", "one much worse"])
def test_the_bound_is_right_on_average_over_languages(truth: str) -> None:
    """300 runs: a coverage of 0.95 comes out below 0.93 with a probability of less than one in a million."""
    outcome = played(Scenario(truth, languages=8, tasks=10), runs=300)
    assert outcome.coverage > 0.93
    assert outcome.worst > 1 - RISK_OF_ONE * 0.05 - 0.08
