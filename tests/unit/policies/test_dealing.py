"""Sessions dealt out among routes by weight."""

from collections import Counter
from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from backends.price import Price
from backends.route import Route
from policies.dealing import Seat, deal, is_drawn, salt_of, seat

ROUTES = {name: Route(name, "vllm", "m", Price()) for name in "abcd"}
DRAWS = [int.from_bytes(blake2b(str(number).encode(), digest_size=8).digest()) for number in range(4000)]

weights = st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 1000), min_size=1)
draws = st.integers(0, 2**64 - 1)


def seats(weights: dict[str, float], policy: str = "p") -> list[Seat]:
    return [seat(policy, name, weight) for name, weight in weights.items()]


def first(weights: dict[str, float], draw: int, policy: str = "p") -> str:
    return deal(seats(weights, policy), list(ROUTES.values()), draw)[0].name


def test_each_route_gets_its_share() -> None:
    counts = Counter(first({"a": 70, "b": 20, "c": 10}, draw) for draw in DRAWS)
    for name, share in (("a", 0.7), ("b", 0.2), ("c", 0.1)):
        assert abs(counts[name] / len(DRAWS) - share) < 0.03  # four standard deviations


def test_two_policies_deal_independently() -> None:
    both = sum(first({"a": 1, "b": 1}, draw) == first({"a": 1, "b": 1}, draw, policy="q") == "a" for draw in DRAWS)
    assert abs(both / len(DRAWS) - 0.25) < 0.03


@given(weights, draws)
def test_the_order_of_the_file_does_not_count(weights: dict[str, float], draw: int) -> None:
    shuffled = sorted(weights, key=lambda name: hash((name, draw)))
    dealt = deal(seats(weights), list(ROUTES.values()), draw)
    assert deal(seats({name: weights[name] for name in shuffled}), list(ROUTES.values()), draw) == dealt
    assert {route.name for route in dealt} == weights.keys()


@given(weights, st.sampled_from("abcd"), st.floats(0.01, 1000), draws)
def test_only_sessions_of_the_route_whose_weight_changed_move(
    weights: dict[str, float], changed: str, weight: float, draw: int
) -> None:
    before, after = first({**weights, changed: 1.0}, draw), first({**weights, changed: weight}, draw)
    if before != after:
        assert (after == changed) if weight > 1 else (before == changed)


@given(weights, draws)
def test_who_loses_its_route_goes_on_to_the_next_and_nobody_else_moves(weights: dict[str, float], draw: int) -> None:
    whole = deal(seats(weights), list(ROUTES.values()), draw)
    gone = min(weights)
    rest = deal(seats(weights), [route for name, route in ROUTES.items() if name != gone], draw)
    assert rest == [route for route in whole if route.name != gone]


@given(st.floats(0, 1), draws)
def test_a_route_that_stands_in_for_none_gets_only_what_it_is_dealt(share: float, draw: int) -> None:
    both = [seat("p", "a", 1 - share), seat("p", "b", share, stands_in=False)]
    dealt = [route.name for route in deal(both, list(ROUTES.values()), draw)]
    assert dealt in (["a"], ["b", "a"])
    alone = deal(both, [ROUTES["b"]], draw)
    assert [route.name for route in alone] == (["b"] if dealt[0] == "b" else [])
    if share == 0:
        assert dealt == ["a"]


def test_weight_nothing_is_dealt_nothing_but_stands_in() -> None:
    assert all(first({"a": 0, "b": 1}, draw) == "b" for draw in DRAWS[:200])
    assert [route.name for route in deal(seats({"a": 0, "b": 1}), [ROUTES["a"]], 7)] == ["a"]


@given(st.floats(0, 1), st.floats(0, 1), draws)
def test_a_larger_share_holds_all_of_a_smaller_one(one: float, other: float, draw: int) -> None:
    salt = salt_of("p", "shadow")
    assert is_drawn(max(one, other), salt, draw) or not is_drawn(min(one, other), salt, draw)
    assert is_drawn(1.0, salt, draw) and not is_drawn(0.0, salt, draw)
