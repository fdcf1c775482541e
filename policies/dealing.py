"""Dealing sessions out among routes by weight: each session has a place of its own, and keeps it.

Rendezvous hashing with weights. A session goes to the route with the lowest of -ln(u) / weight, where u is a number in
(0, 1) made of the session and the route. When one weight changes, only sessions that come to this route, or leave it,
move. Source: J. Resch, "New hashing algorithms for data storage", Storage Developer Conference 2015; the same draw as
P. Efraimidis, P. Spirakis, "Weighted random sampling with a reservoir", Information Processing Letters 97 (2006).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import log

from backends.route import Route

_BITS = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Seat:
    """One route's part in a deal. ``weight`` 0 is dealt nothing."""

    route: str
    weight: float
    salt: int
    stands_in: bool = True
    """It may also be tried when the route that a session was dealt does not answer."""


def seat(policy: str, route: str, weight: float, *, stands_in: bool = True) -> Seat:
    return Seat(route, weight, salt_of(policy, route), stands_in)


def deal(seats: Sequence[Seat], routes: Sequence[Route], draw: int) -> list[Route]:
    """``routes``, the one that the session was dealt first. ``draw`` is the session's, 64 bits.

    Where that one is not among ``routes``, what is left are those that stand in.
    """
    drawn = sorted((_score(each, draw), each.route, each.stands_in) for each in seats if each.weight > 0)
    rest = sorted((each.route, each.stands_in) for each in seats if each.weight <= 0)
    names = [(name, stands_in) for _, name, stands_in in drawn] + rest
    by_name = {route.name: route for route in routes}
    return [
        by_name[name]
        for place, (name, stands_in) in enumerate(names)
        if name in by_name and (stands_in or (place == 0 and bool(drawn)))
    ]


def is_drawn(share: float, salt: int, draw: int) -> bool:
    """Whether a session is among the ``share`` of all sessions; a larger share holds all of a smaller one."""
    return _mixed(draw ^ salt) < share * 2.0**64


def salt_of(*names: str) -> int:
    """Makes the draws for different purposes independent."""
    return int.from_bytes(blake2b("\0".join(names).encode(), digest_size=8).digest())


def _score(each: Seat, draw: int) -> float:
    return -log((_mixed(draw ^ each.salt) + 0.5) * 2.0**-64) / each.weight


def _mixed(number: int) -> int:
    """splitmix64's finaliser: each bit of 64 depends on all. Source: G. Steele, D. Lea, C. Flood, OOPSLA 2014."""
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & _BITS
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & _BITS
    return number ^ (number >> 31)
