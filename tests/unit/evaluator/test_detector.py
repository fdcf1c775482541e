import random

import pytest

from evaluator.statistics.detector import PAIRED, PLAIN, Detector


def draws_until(detector: Detector, chance: float, rng: random.Random, most: int) -> int:
    for number in range(1, most + 1):
        detector.take(float(rng.random() < chance), 0.9, 0.9, 0.9)
        if detector.has_fired:
            return number
    return most


def test_it_grows_by_one_a_draw_on_average_while_nothing_falls() -> None:
    """Shin, Ramdas and Rinaldo 2024, section 2: the sum less the number of draws has mean 0 under the reference."""
    one = {value: _level(value) for value in (0.0, 1.0)}
    assert 0.9 * one[1.0] + 0.1 * one[0.0] == pytest.approx(1)
    two = {(a, b): _level(a, b) for a in (0.0, 1.0) for b in (0.0, 1.0)}
    weight = {1.0: 0.9, 0.0: 0.1}
    assert sum(weight[a] * weight[b] * level for (a, b), level in two.items()) == pytest.approx(2)


def test_units_of_unequal_difficulty_change_nothing_of_that() -> None:
    """An easy task and a hard one, drawn with equal chance, of which the baseline knows how they differ."""
    mean = 0.0
    for expected, chance in ((1.0, 1.0), (0.0, 0.4)):
        for value in (0.0, 1.0):
            detector = Detector(1000)
            detector.take(value, expected, 0.5, 0.7)
            mean += 0.5 * (chance if value else 1 - chance) * detector.level
    assert mean == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nobody_can_lose_more_than_there_is(value: float) -> None:
    detector = Detector(1000)
    detector.take(value, 1 - value, 0.95, 0.999)
    assert 0 < detector.level < 1000
    assert all(0 < share < 1 for share in (*PLAIN, *PAIRED))


def test_it_waits_at_least_as_long_as_it_says_and_not_long_after_a_fall() -> None:
    rng = random.Random(2)
    runs = [draws_until(Detector(200), 0.9, rng, 3000) for _ in range(60)]
    assert sum(runs) / len(runs) > 200
    falls = [draws_until(Detector(200), 0.6, rng, 3000) for _ in range(60)]
    assert sum(falls) / len(falls) < 60


def test_a_task_that_never_failed_says_more_than_one_that_often_does() -> None:
    known, unknown = Detector(1000), Detector(1000)
    known.take(0.0, 1.0, 0.9, 0.9)
    unknown.take(0.0, 0.2, 0.9, 0.9)
    assert known.level > unknown.level


def _level(*values: float) -> float:
    detector = Detector(1000)
    for value in values:
        detector.take(value, 0.9, 0.9, 0.9)
    return detector.level
