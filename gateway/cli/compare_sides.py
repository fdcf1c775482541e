"""What a word of `weighbridge compare` stands for: a run, a file of scorecards, or a route of a running gateway."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from evaluator.compare_runs import Measured, Unfinished, read_run
from evaluator.store.run_folder import RunBusy
from gateway.cli.failure import ConfigFailure, MissingFailure
from gateway.cli.gateway_client import get_json
from policies.scorecard import Scorecard
from policies.snapshot import InvalidScorecard, Snapshot, newest


def replays() -> Path:
    """The folder that holds a folder for each replay."""
    return Path(os.environ.get("WEIGHBRIDGE_STATE_DIR") or ".weighbridge") / "replays"


def run_behind(card: Scorecard, word: str, runs: Path) -> Path:
    """The folder of the samples behind a scorecard that ``word`` stands for, where :func:`measurements` found them."""
    return _run_folder(word, runs) or runs / card.run_id


@dataclass(frozen=True, slots=True)
class Side:
    """What a word stands for: one measurement a suite and language, and scorecards that were passed over for them."""

    measured: Sequence[Measured]
    passed_over: Sequence[Scorecard] = ()
    """Newer ones, of only a part of the suite."""


def measurements(word: str, base_url: str, runs: Path) -> Side:
    """Everything that ``word`` has measured. ``runs`` is the folder of replays."""
    if (folder := _run_folder(word, runs)) is not None:
        return Side(read_run(folder))
    name, _, choice = word.partition("#")
    if Path(name).is_file():
        cards = _in_file(Path(name), choice)
    elif Path(name).is_dir():
        raise ConfigFailure(f"{name} is no run: it holds no manifest.json")
    else:
        cards = _of_route(name, choice, base_url)
    chosen = _newest_of_each(cards)
    return Side([_with_samples(card, runs) for card in chosen], _newer_parts(cards, chosen))


def _run_folder(word: str, runs: Path) -> Path | None:
    """Also by one of its files: what lies beside its samples is not all that is known."""
    given = Path(word)
    folders = (given, runs / word, *([given.parent] if given.name == "scorecards.json" else []))
    return next((folder for folder in folders if (folder / "manifest.json").is_file()), None)


def _in_file(file: Path, route: str) -> list[Scorecard]:
    try:
        cards = list(Snapshot.decode(file.read_bytes()).scorecards)
    except InvalidScorecard as error:
        raise ConfigFailure(f"{file}: {error}") from error
    routes = sorted({card.route for card in cards})
    if route and route not in routes:
        raise ConfigFailure(f"{file} has no scorecard of route {route!r}, but of {_listed(routes)}")
    if not route and len(routes) > 1:
        raise ConfigFailure(f"{file} holds several routes: {_listed(routes)}; name one, as in {file}#{routes[0]}")
    return [card for card in cards if route in ("", card.route)]


def _of_route(route: str, revision: str, base_url: str) -> list[Scorecard]:
    """Measured scorecards of one route, of any revision that begins with ``revision``."""
    try:
        known = Snapshot.decode(msgspec.json.encode(get_json(base_url, "scorecards"))).scorecards
    except InvalidScorecard as error:
        raise MissingFailure(f"{base_url} is no Weighbridge gateway of this version: {error}") from error
    cards = [card for card in known if card.origin == "measured"]
    found = [card for card in cards if card.route == route and card.revision.startswith(revision)]
    if not found:
        what = f"{route!r} at revision {revision}" if revision else f"{route!r}"
        routes = _listed(sorted({card.route for card in cards}))
        raise ConfigFailure(
            f"{what} is no run, no file, and no route with a scorecard at {base_url} (there: {routes});"
            " `weighbridge replay SUITE --route ROUTE` measures one"
        )
    return found


def _newest_of_each(cards: Iterable[Scorecard]) -> list[Scorecard]:
    """The newest whole scorecard of each suite and language."""
    groups: dict[tuple[str, str], list[Scorecard]] = {}
    for card in cards:
        groups.setdefault((card.suite, card.language), []).append(card)
    return [newest(group) for group in groups.values()]


def _newer_parts(cards: Iterable[Scorecard], chosen: Iterable[Scorecard]) -> list[Scorecard]:
    taken = {(card.suite, card.language): card for card in chosen}
    return [
        card
        for card in cards
        if card.partial
        and not (other := taken[card.suite, card.language]).partial
        and card.measured_at > other.measured_at
    ]


def _with_samples(card: Scorecard, runs: Path) -> Measured:
    """With the samples of its run, where this machine has them: only they can be paired."""
    folder = runs / card.run_id
    if folder.parent != runs or not (folder / "manifest.json").is_file():
        return Measured(card)
    try:
        measured = read_run(folder)
    except (Unfinished, RunBusy):
        return Measured(card)
    return next((each for each in measured if _identity(each.card) == _identity(card)), Measured(card))


def _identity(card: Scorecard) -> tuple[object, ...]:
    return card.route, card.revision, card.suite_hash, card.language, card.asked


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
