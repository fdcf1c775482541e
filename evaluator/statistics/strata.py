"""The order in which a replay that may stop early draws its tasks."""

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def stratified(strata: Iterable[Sequence[T]], seed: int) -> list[list[T]]:
    """All members of ``strata``, in blocks, by ``seed``.

    A block takes the same share of whatever is left of each stratum, drawn without replacement: about as many members
    as there are strata. Numbers are rounded up or down at random, so that each member that is left has the same chance
    to be in the next block. A single stratum comes one by one, in random order.
    """
    rng = random.Random(seed)  # noqa: S311
    left = [rng.sample(list(stratum), len(stratum)) for stratum in strata if stratum]
    blocks = []
    while left:
        members = sum(map(len, left))
        block: list[T] = []
        for stratum in left:
            whole, rest = divmod(len(stratum) * len(left), members)
            take = whole + (rng.random() < rest / members)
            block += stratum[:take]
            del stratum[:take]
        left = [stratum for stratum in left if stratum]
        if block:
            blocks.append(block)
    return blocks
