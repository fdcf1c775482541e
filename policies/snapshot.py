"""All scorecards at one version: the evidence that a gateway holds in memory, and its JSON form."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from difflib import get_close_matches
from types import MappingProxyType
from typing import TypeVar

import msgspec

from policies.admission import Admission
from policies.live import LiveTimes
from policies.scorecard import ALL_LANGUAGES, Evidence, Origin, Scorecard

_Owner = TypeVar("_Owner", bound=Hashable)
_FIELDS = tuple(item.name for item in fields(Scorecard))
_COUNTS = ("tasks", "repetitions", "asked", "scored", "no_answer", "unscorable")
_TOTALS = ("input_tokens", "output_tokens", "cost_nanousd")
_TIMES = ("ttft_p50_ms", "ttft_p99_ms", "total_p50_ms", "total_p99_ms")


class InvalidScorecard(ValueError):
    """The message says which field is wrong and why."""


@dataclass(frozen=True, slots=True)
class _Published:
    """Implements :class:`policies.scorecard.Evidence` with what others published about a route's model."""

    by_route: Mapping[str, tuple[Scorecard, ...]]

    def scorecard(self, route: str, revision: str, suite: str, language: str | None) -> Scorecard | None:
        return _find(self.of_revision(route, revision), suite, language)

    def of_revision(self, route: str, revision: str) -> tuple[Scorecard, ...]:
        return self.by_route.get(route, ())

    def admissions(self, route: str, revision: str, suite: str, language: str | None) -> tuple[Admission, ...]:
        return ()

    def live_times(self, route: str, revision: str) -> LiveTimes | None:
        return None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Implements :class:`policies.scorecard.Evidence` with the measured scorecards; ``of_origin`` has the others."""

    version: int = 0
    scorecards: tuple[Scorecard, ...] = ()
    watched: tuple[Admission, ...] = ()
    """The admissions in force."""
    live: tuple[LiveTimes, ...] = ()
    """Beside the rest, not of its version: they change every few seconds, and are told apart from it."""
    _by_revision: Mapping[tuple[str, str], tuple[Scorecard, ...]] = field(init=False, repr=False, compare=False)
    _published: _Published = field(init=False, repr=False, compare=False)
    _admissions: Mapping[tuple[str, str, str, str | None], tuple[Admission, ...]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        measured = (card for card in self.scorecards if card.origin == "measured")
        published = (card for card in self.scorecards if card.origin == "published")
        object.__setattr__(self, "_by_revision", _newest_by(measured, lambda card: (card.route, card.revision)))
        object.__setattr__(self, "_published", _Published(_newest_by(published, lambda card: card.route)))
        grouped: dict[tuple[str, str, str, str | None], tuple[Admission, ...]] = {}
        for row in self.watched:
            grouped[row.gate[:4]] = (*grouped.get(row.gate[:4], ()), row)
        object.__setattr__(self, "_admissions", MappingProxyType(grouped))

    def scorecard(self, route: str, revision: str, suite: str, language: str | None) -> Scorecard | None:
        return _find(self.of_revision(route, revision), suite, language)

    def of_revision(self, route: str, revision: str) -> tuple[Scorecard, ...]:
        return self._by_revision.get((route, revision), ())

    def admissions(self, route: str, revision: str, suite: str, language: str | None) -> tuple[Admission, ...]:
        return self._admissions.get((route, revision, suite, language), ())

    def live_times(self, route: str, revision: str) -> LiveTimes | None:
        return next((times for times in self.live if (times.route, times.revision) == (route, revision)), None)

    def of_origin(self, origin: Origin) -> Evidence:
        return self if origin == "measured" else self._published

    def encode(self) -> bytes:
        return msgspec.json.encode({"version": self.version, "scorecards": self.scorecards, "admissions": self.watched})

    @classmethod
    def decode(cls, data: bytes | str) -> "Snapshot":
        """The inverse of :meth:`encode`; who posts scorecards gives no version, and gets 0.

        Raises InvalidScorecard when there are none, or when any is not a valid one.
        """
        try:
            envelope = msgspec.json.decode(data, type=_Envelope)
        except msgspec.MsgspecError as error:
            raise InvalidScorecard(f"not a list of scorecards: {error}") from error
        return cls(envelope.version, tuple(map(_scorecard, envelope.scorecards)), envelope.admissions)

    @classmethod
    def read(cls, data: bytes) -> "Snapshot":
        """What :meth:`encode` wrote: of a known source, so that no rule is checked again, in a tenth of the time.

        Raises InvalidScorecard.
        """
        try:
            whole = _decode_whole(data)
        except msgspec.MsgspecError as error:
            raise InvalidScorecard(f"not a list of scorecards: {error}") from error
        return cls(whole.version, whole.scorecards, whole.admissions)


class _Whole(msgspec.Struct):
    scorecards: tuple[Scorecard, ...]
    version: int = 0
    admissions: tuple[Admission, ...] = ()


_decode_whole = msgspec.json.Decoder(_Whole).decode


class _Envelope(msgspec.Struct):
    scorecards: list[object]
    version: int = 0
    admissions: tuple[Admission, ...] = ()


def encode_scorecard(card: Scorecard) -> bytes:
    return msgspec.json.encode(card)


def decode_scorecard(data: bytes | str) -> Scorecard:
    """One scorecard from its JSON, with every rule of its docstring checked. Raises InvalidScorecard."""
    try:
        return _scorecard(msgspec.json.decode(data))
    except msgspec.DecodeError as error:
        raise InvalidScorecard(f"not JSON: {error}") from error


def newest(cards: Iterable[Scorecard]) -> Scorecard:
    """The newest whole scorecard, or the newest partial one when none is whole; ties by run id."""
    return max(cards, key=_age)


def _age(card: Scorecard) -> tuple[bool, datetime, str]:
    return not card.partial, datetime.fromisoformat(card.measured_at), card.run_id


def _find(cards: Iterable[Scorecard], suite: str, language: str | None) -> Scorecard | None:
    found = [card for card in cards if card.suite == suite]
    if language is not None or len(found) > 1:
        found = [card for card in found if card.language == (language or ALL_LANGUAGES)]
    return found[0] if found else None


def _newest_by(
    cards: Iterable[Scorecard], owner: Callable[[Scorecard], _Owner]
) -> Mapping[_Owner, tuple[Scorecard, ...]]:
    """Each owner's newest scorecards, one for each suite and language, newest first."""
    chosen: dict[tuple[_Owner, str, str], Scorecard] = {}
    for card in cards:
        key = (owner(card), card.suite, card.language)
        chosen[key] = newest((chosen[key], card)) if key in chosen else card
    grouped: dict[_Owner, list[Scorecard]] = {}
    for card in sorted(chosen.values(), key=lambda card: (datetime.fromisoformat(card.measured_at), card.run_id)):
        grouped.setdefault(owner(card), []).append(card)
    return MappingProxyType({of: tuple(reversed(found)) for of, found in grouped.items()})


def _scorecard(data: object) -> Scorecard:
    if isinstance(data, dict):
        for name in data:
            if name not in _FIELDS:
                near = get_close_matches(str(name), _FIELDS, 1)
                raise InvalidScorecard(f"unknown field {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    try:
        card = msgspec.convert(data, Scorecard)
    except msgspec.ValidationError as error:
        raise InvalidScorecard(str(error)) from error
    for broken, rule in _broken_rules(card):
        if broken:
            raise InvalidScorecard(f"scorecard of run {card.run_id}: {rule}")
    return card


def _broken_rules(card: Scorecard) -> Iterable[tuple[bool, str]]:
    names = (card.run_id, card.route, card.revision, card.suite, card.suite_hash, card.language)
    rule = "run_id, route, revision, suite, suite_hash and language are printable and not empty"
    yield not all(name and name.isprintable() for name in names), rule
    yield any(getattr(card, name) < 0 for name in (*_COUNTS, *_TOTALS)), "counts and totals are not negative"
    yield not _is_utc(card.measured_at), f"measured_at is ISO 8601 in UTC, and {card.measured_at!r} is not"
    counted = card.scored + card.no_answer + card.unscorable
    yield counted != card.asked, f"scored + no_answer + unscorable is {counted}, and asked is {card.asked}"
    statuses = sum(card.statuses.values())
    yield bool(card.statuses) and statuses != card.asked, f"statuses sum to {statuses}, and asked is {card.asked}"
    most = card.tasks * card.repetitions
    yield not card.tasks <= card.scored <= most, f"{card.scored} scored samples do not fit {card.tasks} tasks"
    untold = card.origin == "published" and card.tasks == 0  # a mean without its number of tasks
    yield (
        not untold and (card.pass_at_1 is None) != (card.tasks == 0),
        "pass_at_1 is null when and only when no task was scored",
    )
    yield from _broken_units(card)
    shares = (card.pass_at_1, card.base_pass_at_1)
    yield any(not 0 <= share <= 1 for share in shares if share is not None), "pass_at_1 lies between 0 and 1"
    times = [getattr(card, name) for name in _TIMES]
    yield any(time < 0 for time in times if time is not None), "times are not negative"


def _broken_units(card: Scorecard) -> Iterable[tuple[bool, str]]:
    units = card.units
    fits = all(unit.count > 0 < unit.tasks and 0 <= unit.x <= unit.tasks for unit in units)
    yield not fits, "units are at least one, of at least one task each, with an x between 0 and that number"
    tasks = sum(unit.tasks * unit.count for unit in units)
    yield bool(units) and tasks != card.tasks, f"units have {tasks} tasks, and the scorecard {card.tasks}"
    total = sum(unit.x * unit.count for unit in units)
    differs = abs(total - (card.pass_at_1 or 0.0) * card.tasks) > 1e-6 * max(1, card.tasks)
    yield bool(units) and differs, "the mean over units is not pass_at_1"


def _is_utc(moment: str) -> bool:
    try:
        return datetime.fromisoformat(moment).utcoffset() == timedelta(0)
    except ValueError:
        return False
