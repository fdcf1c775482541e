"""The Pareto frontier: the routes than which no other is both cheaper and better."""

from collections.abc import Sequence


def frontier(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indexes of the undominated ``(cost, accuracy)``, cheapest first.

    One point dominates another if it costs no more and is no worse, and is not the same; of equal points all stay.
    """
    order = sorted(range(len(points)), key=lambda index: (points[index][0], -points[index][1]))
    kept: list[int] = []
    for index in order:
        if not kept or points[index][1] > points[kept[-1]][1] or points[index] == points[kept[-1]]:
            kept.append(index)
    return kept
