"""What an evaluation says: against routes for all, mixtures and the oracle, and how well chances are told."""

import pytest

from evaluator.learning.evaluation import evaluate
from policies.learned_model import HeldOut
from tests.fixtures.learned_file import COSTS, WORTH, model_file

SMALL, LARGE = COSTS["small"], COSTS["large"]


def test_points_are_what_was_solved_and_paid_on_unseen_tasks() -> None:
    found = evaluate(model_file())
    points = {point.name: point for point in found.points}
    assert list(points) == ["always small", "always large", "random, same cost", "learned", "oracle"]
    assert (points["always small"].solved, points["always small"].cost_nanousd) == (0.45, SMALL)
    assert (points["always large"].solved, points["always large"].cost_nanousd) == (0.9, LARGE)
    assert (points["learned"].solved, points["learned"].cost_nanousd) == (0.85, (SMALL + LARGE) / 2)
    assert points["random, same cost"].solved == pytest.approx((0.45 + 0.9) / 2)
    # It asks the large route for 10 short tasks and 80 long ones, and nobody dear for the 20 that nobody solves.
    assert (points["oracle"].solved, points["oracle"].cost_nanousd) == (0.9, SMALL + (LARGE - SMALL) * 90 / 200)
    assert points["learned"].worth == pytest.approx(0.85 - (SMALL + LARGE) / 2 / WORTH)
    assert found.refusal is None
    for margin in found.margins:
        assert margin.proven and margin.interval is not None
        assert 0 < margin.interval[0] < margin.gain < margin.interval[1]


def test_the_curve_goes_from_the_cheap_route_to_the_best_one_and_the_oracle_is_above_it() -> None:
    found = evaluate(model_file())
    costs = [point.cost_nanousd for point in found.curve]
    assert costs == sorted(costs)
    assert found.curve[0].shares == (1.0, 0.0) and found.curve[0].solved == 0.45
    assert found.curve[3].worth_nanousd == WORTH
    for point in found.curve:
        assert point.solved <= point.oracle + 1e-9
        assert point.mixture <= point.oracle + 1e-9
        assert sum(point.shares) == pytest.approx(1)
    assert max(point.solved - point.mixture for point in found.curve) > 0.15


def test_brier_and_calibration_error_by_hand() -> None:
    rows = [HeldOut(str(n), str(n), [0.8, 0.5], [float(n % 5 != 0), float(n % 2)], [SMALL, LARGE]) for n in range(100)]
    small, large = evaluate(model_file(held_out=rows)).calibration
    assert (small.route, large.route) == ("small", "large")
    assert small.brier == pytest.approx(0.8 * 0.04 + 0.2 * 0.64)
    assert (small.base, large.base) == (pytest.approx(0.16), pytest.approx(0.25))
    assert large.brier == pytest.approx(0.25)
    assert (small.ece, large.ece) == (pytest.approx(0.0), pytest.approx(0.0))  # though all chances are equal
    sure = [HeldOut(str(n), str(n), [1.0, 0.0], [0.0, 0.0], [SMALL, LARGE]) for n in range(100)]
    small, large = evaluate(model_file(held_out=sure)).calibration
    assert (small.ece, large.ece) == (1.0, 0.0)


def test_a_middle_route_counts_where_it_is_above_the_mixture_of_the_others() -> None:
    def row(n: int) -> HeldOut:
        return HeldOut(
            str(n), str(n), [0.5] * 3, [float(n % 10 < 8), float(n % 10 < 9), float(n % 10 < 2)], [30, 90, 10]
        )

    base = model_file()
    names = ("middle", "best", "cheap")
    routes = [
        type(base.routes[0])(name, "r", cost, 0.0, base.routes[0].numbers, base.routes[0].buckets)
        for name, cost in zip(names, (30, 90, 10), strict=True)
    ]
    found = evaluate(model_file(routes=routes, held_out=[row(n) for n in range(100)], worth_nanousd=100))
    assert [point.name for point in found.points][:3] == ["always cheap", "always middle", "always best"]
    assert found.points[3].solved == pytest.approx(
        0.2
    )  # who picks by nothing picks the cheapest, and so does a mixture
    assert found.refusal is not None
    assert found.curve[-1].mixture == pytest.approx(found.curve[-1].solved)
