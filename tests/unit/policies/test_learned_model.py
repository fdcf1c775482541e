"""Files of learned models: which are read, and which are proven to be better than one route for all."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.learned_model import (
    MOST_BYTES,
    HeldOut,
    InvalidModel,
    best,
    decode,
    encode,
    gains,
    picks,
    refusal,
)
from tests.fixtures.learned_file import COSTS, WORTH, model_file


def test_a_file_is_read_as_it_was_written() -> None:
    file = model_file()
    assert decode(encode(file)) == file


def test_the_choice_is_worth_most_and_the_cheaper_one_of_equals() -> None:
    assert best([0.9, 0.9], [0.1, 0.5]) == 0
    assert best([0.1, 0.9], [0.1, 0.5]) == 1
    assert best([0.5, 0.5, 0.5], [0.2, 0.1, 0.1]) == 1
    assert best([0.4, 0.8], [0.1, 0.5]) == 0  # as much is left of both


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 10)), min_size=2, max_size=8))
def test_no_route_is_worth_more_than_the_choice(routes: list[tuple[float, float]]) -> None:
    predicted, costs = zip(*routes, strict=True)
    chosen = best(predicted, costs)
    assert all(predicted[chosen] - costs[chosen] >= p - c for p, c in routes)


def test_gains_are_means_over_unseen_tasks_of_what_the_choice_was_worth_more() -> None:
    file = model_file()
    found = {gain.over: gain for gain in gains(file, WORTH)}
    assert picks(file, WORTH) == [number % 2 for number in range(200)]
    dear, cheap = COSTS["large"] / WORTH, COSTS["small"] / WORTH
    # Large solves 80 of the 100 long tasks, small none of them; of the short ones small solves 90, large all.
    assert found["small"].mean == pytest.approx((80 - 100 * (dear - cheap)) / 200)
    assert found["large"].mean == pytest.approx((90 - 100 + 100 * (dear - cheap)) / 200)
    assert found["small"].proven and found["large"].proven
    assert refusal(file, WORTH) is None


def test_predictions_that_tell_nothing_are_refused_and_the_reason_names_whom_they_do_not_beat() -> None:
    file = model_file(knows=False)
    why = refusal(file, WORTH)
    assert why is not None
    assert why.startswith("it does not beat the static policy: on 200 unseen tasks its gain in solved tasks")
    assert "over 'small' for all" in why and "over 'large' for all" in why


def test_few_tasks_prove_nothing_however_well_they_went() -> None:
    assert refusal(model_file(tasks=12), WORTH) is not None


def test_the_proof_is_of_the_worth_that_is_asked_for() -> None:
    """Where solving is worth next to nothing, or nearly everything, one route for all is as good."""
    file = model_file()
    assert "+0.000 over 'small' for all" in (refusal(file, WORTH / 100) or "")
    assert "over 'large' for all" in (refusal(file, WORTH * 1_000) or "")


def test_several_tasks_of_one_problem_count_as_one() -> None:
    """A suite in ten languages is no ten suites."""
    rows = [
        HeldOut(f"{row.task_id}/{n}", row.problem, row.predicted, row.solved, row.cost_nanousd)
        for row in model_file(tasks=12).held_out
        for n in range(10)
    ]
    assert refusal(model_file(held_out=rows), WORTH) is not None
    apart = [HeldOut(r.task_id, r.task_id, r.predicted, r.solved, r.cost_nanousd) for r in rows]
    assert refusal(model_file(held_out=apart), WORTH) is None


def test_a_random_policy_is_hardly_ever_let_through() -> None:
    """Of predictions without knowledge at most one in twenty may be taken for better; the bound is for any values."""
    rng = Random(1)
    passed = 0
    for _ in range(200):
        rows = [
            HeldOut(
                str(n),
                str(n),
                [rng.random(), 0.5 + rng.random() / 2],
                [float(rng.random() < 0.44), float(rng.random() < 0.87)],
                [275_000, 1_390_000],
            )
            for n in range(100)
        ]
        passed += refusal(model_file(held_out=rows), WORTH) is None
    assert passed <= 10


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.update(schema=2), "another version of Weighbridge: train it again"),
        (lambda file: file.update(features=0), "another version of Weighbridge: train it again"),
        (lambda file: file.update(held_out=[]), "it holds no evaluation on unseen tasks"),
        (lambda file: file.update(prompts=["secret"]), "unknown field `prompts`"),
        (lambda file: file.update(worth_nanousd=0), "`int` >= 1"),
        (lambda file: file["routes"].pop(), "length >= 2"),
        (lambda file: file["routes"][1].update(route="small"), "a route stands in it twice"),
        (lambda file: file["routes"][1]["buckets"].pop(), "buckets of 'large': not 1024 finite numbers"),
        (lambda file: file["routes"][0].update(bias=None), "Expected `float`"),
        (lambda file: file["scale"]["mean"].pop(), "mean: not 28 finite numbers"),
        (lambda file: file["held_out"][0][2].pop(), "its evaluation is not of its routes"),
        (lambda file: file["held_out"][0].__setitem__(2, [2.0, 0.5]), "<= 1.0"),
    ],
)
def test_a_file_that_is_no_model_is_refused_by_name(change: Change, message: str) -> None:
    raw = json.loads(encode(model_file()))
    change(raw)
    with pytest.raises(InvalidModel, match=message):
        decode(json.dumps(raw).encode())


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"nul", b"[" * 100_000, b'{"schema": 1e999}'])
def test_what_is_no_json_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidModel):
        decode(data)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidModel, match=r"bias of 'small': not 1 finite numbers|not a model"):
        decode(encode(model_file()).replace(b'"bias":0.0', b'"bias":1e400', 1))


def test_a_file_of_any_size_is_not_even_looked_at() -> None:
    with pytest.raises(InvalidModel, match="larger than 16 MiB"):
        decode(b" " * (MOST_BYTES + 1))
