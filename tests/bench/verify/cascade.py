"""A small model's answers, verified, and a large one's where they fail: what is solved, and what that costs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from policies.verify import Found
from tests.bench.verify.recordings import Pair, Recorded

Judged = Callable[[str, Recorded], Found]
"""What a form of verification finds in an answer to a task."""


@dataclass(frozen=True, slots=True)
class Result:
    """Of all tasks. ``small`` and ``large`` are the tokens that each model was paid for."""

    base: int
    plus: int
    asked_large: int
    small: int
    large: int
    won: int = 0
    lost: int = 0
    """Tasks that the large model alone would not have solved, and those that it would have."""

    def cost(self, ratio: float) -> float:
        """In tokens of the small model."""
        return self.small + ratio * self.large


def alone(model: Mapping[str, Recorded], tasks: Sequence[str], *, large: bool) -> Result:
    found = [model[task] for task in tasks]
    tokens = sum(answer.tokens for answer in found)
    solved = sum(answer.base for answer in found), sum(answer.plus for answer in found)
    return Result(*solved, len(tasks) if large else 0, 0 if large else tokens, tokens if large else 0)


def cascade(pair: Pair, tasks: Sequence[str], judged: Judged) -> Result:
    """As the gateway does it: of two answers that fail the better one goes out, the second where they are as good."""
    base = plus = asked = small = large = won = lost = 0
    for task in tasks:
        first, second = pair.small.answers[task], pair.large.answers[task]
        out, found = first, judged(task, first)
        small += first.tokens
        if found.verdict == "failed":
            again = judged(task, second)
            out = first if again.verdict == "failed" and again.score < found.score else second
            asked, large = asked + 1, large + second.tokens
        base, plus = base + out.base, plus + out.plus
        won, lost = won + (out.base and not second.base), lost + (second.base and not out.base)
    return Result(base, plus, asked, small, large, won, lost)


def knows(_: str, answer: Recorded) -> Found:
    """A verification that is never wrong: what is to be had at most."""
    return Found("passed" if answer.base else "failed")


def surer_than(threshold: float) -> Judged:
    def judged(_: str, answer: Recorded) -> Found:
        if answer.mean_logprob is None:
            return Found("unavailable")
        return Found("passed" if answer.mean_logprob >= threshold else "failed")

    return judged


def chosen_threshold(pair: Pair, tasks: Sequence[str]) -> float:
    """The lowest with which, on these tasks, as much is solved as by the large model alone: the most that is saved.

    One that nothing reaches where there is no such.
    """
    enough = alone(pair.large.answers, tasks, large=True).base
    known = (pair.small.answers[task].mean_logprob for task in tasks)
    candidates = sorted({logprob for logprob in known if logprob is not None})
    good = (one for one in candidates if cascade(pair, tasks, surer_than(one)).base >= enough)
    return next(good, 0.0)
