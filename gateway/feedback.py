"""What users make of answers: verdicts on requests, and what they say of a route's revision. Pure: no I/O, no clock.

These are no test verdicts: nobody chose the tasks, and who accepts an answer may be wrong. So they are figures of an
origin of their own, which no gate and no objective reads.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, get_args

import msgspec

from policies.bounds import wilson
from policies.scorecard import ALL_LANGUAGES

Verdict = Literal["accepted", "edited", "rejected"]
"""Used as it was; used after changes; not used."""

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
CONFIDENCE = 0.95


class Feedback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A verdict on the answer to one request, as it is posted."""

    request_id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    verdict: Verdict
    language: str | None = None
    """The programming language, where whoever judges knows it; it goes before what the ledger has."""


class Tally(msgspec.Struct, frozen=True):
    """How many answers of one route's revision got the same verdict in the same language, None where it is unknown."""

    route: str
    revision: str
    language: str | None
    verdict: Verdict
    again: bool
    """The answer came from the cache, or from another request's flight."""
    count: int
    last_at: float
    """Unix seconds of the newest of them."""


class OnlineScorecard(msgspec.Struct, frozen=True):
    """Verdicts on one route's revision in one language, or in ``all``, those in unknown ones too.

    The acceptance rate is of answers used as they were; ``lower`` and ``upper`` are Wilson's two-sided interval for it
    (see ``policies.bounds.wilson``), which takes verdicts to be independent of each other.
    """

    route: str
    revision: str
    language: str
    judged: int
    """``accepted + edited + rejected``"""
    accepted: int
    edited: int
    rejected: int
    again: int
    """Verdicts on answers that were given before; they are in no other figure."""
    acceptance_rate: float | None
    """None where nothing was judged."""
    lower: float
    upper: float
    last_at: float
    """Unix seconds."""
    confidence: float = CONFIDENCE
    origin: Literal["online"] = "online"


def online_scorecards(tallies: Iterable[Tally]) -> list[OnlineScorecard]:
    """By route; of a route the revision that was judged last comes first; of a revision ``all``, then each language."""
    revisions: defaultdict[tuple[str, str], list[Tally]] = defaultdict(list)
    for tally in tallies:
        revisions[tally.route, tally.revision].append(tally)
    newest_first = sorted(revisions.items(), key=lambda item: (item[0][0], -_last_at(item[1]), item[0][1]))
    return [card for _, said in newest_first for card in _of_revision(said)]


def _of_revision(tallies: Sequence[Tally]) -> Iterable[OnlineScorecard]:
    yield _scorecard(ALL_LANGUAGES, tallies)
    for language in sorted({tally.language for tally in tallies if tally.language is not None}):
        yield _scorecard(language, [tally for tally in tallies if tally.language == language])


def _scorecard(language: str, tallies: Sequence[Tally]) -> OnlineScorecard:
    counts: Mapping[str, int] = sum((Counter({_kind(t): t.count}) for t in tallies), Counter())
    judged = sum(counts.get(verdict, 0) for verdict in VERDICTS)
    accepted = counts.get("accepted", 0)
    lower, upper = wilson(accepted / judged if judged else 0.0, judged, CONFIDENCE)
    return OnlineScorecard(
        route=tallies[0].route,
        revision=tallies[0].revision,
        language=language,
        judged=judged,
        accepted=accepted,
        edited=counts.get("edited", 0),
        rejected=counts.get("rejected", 0),
        again=counts.get("again", 0),
        acceptance_rate=accepted / judged if judged else None,
        lower=lower,
        upper=upper,
        last_at=_last_at(tallies),
    )


def _kind(tally: Tally) -> str:
    return "again" if tally.again else tally.verdict


def _last_at(tallies: Iterable[Tally]) -> float:
    return max(tally.last_at for tally in tallies)
