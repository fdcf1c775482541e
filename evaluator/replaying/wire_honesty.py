"""Whether a route answers alike on every wire: the same tasks asked on each, and the runs paired."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from evaluator.compare_runs import Measured, compare
from evaluator.paired import Paired
from evaluator.replaying.wires import Wire
from evaluator.statistics.holm import holm
from policies.correctness import Correctness
from policies.scorecard import ALL_LANGUAGES, Scorecard

LEVEL = 0.05
"""Below it, after Holm's adjustment, chance is not taken for the reason why two wires differ."""
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class WirePair:
    """Task by task, of two wires; ``p_holm`` is the p-value as one of several pairs'."""

    first: Wire
    second: Wire
    paired: Paired
    p_holm: float

    @property
    def alike(self) -> bool:
        return self.p_holm >= LEVEL


@dataclass(frozen=True, slots=True)
class WireReport:
    cards: Mapping[Wire, Scorecard]
    """Over all languages."""
    pairs: tuple[WirePair, ...]

    @property
    def unlike(self) -> list[WirePair]:
        return [pair for pair in self.pairs if not pair.alike]


def wire_report(runs: Mapping[Wire, list[Measured]]) -> WireReport:
    """``runs``: what :func:`evaluator.compare_runs.read_run` reads of each wire's run. Raises Incomparable."""
    together = {wire: _together(measured) for wire, measured in runs.items()}
    found = [(one, other, _paired(together[one], together[other])) for one, other in combinations(together, 2)]
    adjusted = holm([paired.p_value for _, _, paired in found])
    pairs = tuple(WirePair(*pair, p) for pair, p in zip(found, adjusted, strict=True))
    return WireReport({wire: measured.card for wire, measured in together.items()}, pairs)


def interval(card: Scorecard) -> tuple[float, float]:
    """Of pass@1, at 95%."""
    return Correctness.of(card).interval(_CONFIDENCE) or (0.0, 1.0)


def _together(measured: list[Measured]) -> Measured:
    """All languages, where there are several."""
    return next((each for each in measured if each.card.language == ALL_LANGUAGES), measured[0])


def _paired(one: Measured, other: Measured) -> Paired:
    paired = compare(one, other).paired
    assert paired is not None, "the samples of both runs are at hand"
    return paired
