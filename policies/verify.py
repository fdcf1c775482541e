"""Verified answers: how a policy asks that an answer be looked at before it goes out, and who can do that.

Pure types. What runs code or parses it is the evaluator's; who holds the answer meanwhile is the gateway.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

Form = Literal["examples", "syntax", "confidence"]
"""Runs the code on the examples that the request shows; parses it; or goes by the model's own token probabilities."""

Verdict = Literal["passed", "failed", "skipped", "unavailable"]
"""``skipped``: there was nothing to go by. ``unavailable``: it could not be looked at; never the answer's fault."""

WhenUnavailable = Literal["allow", "decline"]


@dataclass(frozen=True, slots=True)
class Verification:
    """A policy's rule. An answer that fails is followed by one of the decision's next route, within two budgets."""

    by: Form
    latency_ms: float = 20_000.0
    """From the request's beginning: after it no further route is asked, and one that is being asked is given up."""
    max_cost_nanousd: int | None = None
    """Of all attempts together: no route is asked that would go beyond, were its answer as long as the one before."""
    when_unavailable: WhenUnavailable = "allow"
    at_least: float | None = None
    """For ``confidence``: the mean natural logarithm of the probabilities of an answer's tokens, at most 0."""
    best_first: bool = False
    """Its routes come most accurate first: of answers that all fail equally the first goes out, not the last."""

    @property
    def mode(self) -> str:
        """What tells answers apart that were verified otherwise: part of the cache's key."""
        return self.by if self.at_least is None else f"{self.by}:{self.at_least:g}"


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks, as far as an answer can be checked against it."""

    text: str
    """Of its last turn, the user's; or the prompt that is to be gone on with."""
    language: str | None = None
    """The programming language, where it is known."""
    continues: bool = False
    """An answer goes on where the text ends."""


@dataclass(frozen=True, slots=True)
class Said:
    """A whole answer."""

    text: str
    mean_logprob: float | None = None
    """Natural logarithm, of the tokens that the model chose; None where the server did not say."""


@dataclass(frozen=True, slots=True)
class Found:
    verdict: Verdict
    score: float = 0.0
    """Among answers that failed the highest is the best: the share of examples that passed, say."""


class Check(Protocol):
    """What the answers to one request are to pass."""

    async def look(self, said: Said) -> Found:
        """Never raises for what an answer holds, nor where it cannot be looked at: that is ``unavailable``."""
        ...


class Verifier(Protocol):
    """One for each form."""

    async def check(self, question: Question, rule: Verification) -> Check | None:
        """None where the request shows nothing to go by."""
        ...
