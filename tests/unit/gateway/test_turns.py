"""Whose turn it is: never more than allowed, in order, fairly between tenants, whoever leaves meanwhile."""

import asyncio
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import Limits
from gateway.pipeline.passage import Departure
from gateway.pipeline.turns import Turns
from gateway.problem import ClientLeft, Problem


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Crowd:
    """Requests by name, ``tenant`` the first letter; ``served`` in the order in which their turn came."""

    def __init__(self, active: int, queue: int, queue_s: float = 60.0) -> None:
        self.waiting = 0
        self.turns = Turns(Limits(active=active, queue=queue, queue_s=queue_s), self._count)
        self.served: list[str] = []
        self.refused: list[str] = []
        self.left: list[str] = []
        self.departures: dict[str, Departure] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def _count(self, change: int) -> None:
        self.waiting += change

    async def come(self, *names: str) -> None:
        for name in names:
            self.departures[name] = Departure()
            self._tasks[name] = asyncio.create_task(self._come(name))
            await settled()

    async def _come(self, name: str) -> None:
        try:
            if not self.turns.take():
                await self.turns.wait(name[0], self.departures[name])
            self.served.append(name)
        except Problem as problem:
            assert (problem.status, problem.code) == (503, "gateway_overloaded")
            assert problem.retry_after
            self.refused.append(name)
        except ClientLeft:
            self.left.append(name)

    async def end_one(self) -> None:
        self.turns.give_back()
        await settled()

    def cancel(self, name: str) -> None:
        self._tasks[name].cancel()


async def test_the_next_ones_wait_in_order_and_beyond_the_queue_it_is_said_at_once() -> None:
    crowd = Crowd(active=2, queue=2)
    await crowd.come("a1", "a2", "a3", "a4", "a5")
    assert (crowd.served, crowd.refused, crowd.waiting) == (["a1", "a2"], ["a5"], 2)
    with pytest.raises(Problem):
        crowd.turns.check("a")
    await crowd.end_one()
    await crowd.end_one()
    assert (crowd.served, crowd.waiting) == (["a1", "a2", "a3", "a4"], 0)


async def test_tenants_take_turns() -> None:
    crowd = Crowd(active=1, queue=10)
    await crowd.come("a1", "a2", "a3", "a4", "b1", "b2")
    for _ in range(5):
        await crowd.end_one()
    assert crowd.served == ["a1", "a2", "b1", "a3", "b2", "a4"]


async def test_a_full_queue_of_one_tenants_still_has_room_for_another() -> None:
    crowd = Crowd(active=1, queue=3)
    await crowd.come("a1", "a2", "a3", "a4", "b1", "c1", "d1")
    assert crowd.refused == ["a4", "a3", "d1"]
    for _ in range(3):
        await crowd.end_one()
    assert crowd.served == ["a1", "a2", "b1", "c1"]


async def test_whoever_leaves_frees_its_place() -> None:
    crowd = Crowd(active=1, queue=2)
    await crowd.come("a1", "a2", "a3")
    crowd.departures["a2"].leave()
    crowd.cancel("a3")
    await settled()
    assert (crowd.left, crowd.waiting) == (["a2"], 0)
    await crowd.come("a4", "a5")
    await crowd.end_one()
    await crowd.end_one()
    assert crowd.served == ["a1", "a4", "a5"]


async def test_nobody_waits_for_ever() -> None:
    crowd = Crowd(active=1, queue=2, queue_s=0.01)
    await crowd.come("a1", "a2")
    while not crowd.refused:  # noqa: ASYNC110 (a clock is waited for)
        await asyncio.sleep(0.005)
    assert crowd.waiting == 0
    await crowd.end_one()
    assert crowd.turns.take()


Deed = Literal["come", "end", "leave", "cancel", "leave and end", "end and leave"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["come", "end", "leave", "cancel", "end and leave", "leave and end"]), st.integers(0, 7)
        )
    )
)
async def test_no_turn_is_ever_lost_or_given_twice(deeds: list[tuple[Deed, int]]) -> None:
    crowd, active, ended, count = Crowd(active=2, queue=3), 2, 0, 0
    for deed, number in deeds:
        if deed == "come":
            count += 1
            await crowd.come(f"{'abc'[number % 3]}{count}")
        names = list(crowd.departures)
        whose = names[number % len(names)] if names else None
        for word in deed.split(" and "):  # in the same step of the loop
            if word == "end" and ended < len(crowd.served):
                ended += 1
                crowd.turns.give_back()
            elif word == "leave" and whose is not None:
                crowd.departures[whose].leave()
            elif word == "cancel" and whose is not None and whose not in crowd.served:
                crowd.cancel(whose)
        await settled()
        assert len(crowd.served) - ended <= active
        assert crowd.waiting <= 3
        assert not crowd.waiting or len(crowd.served) - ended == active
