"""`weighbridge policy simulate`: what the ledger's requests would have cost and solved under another policy."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from backends.usage import Usage
from gateway.cli.failure import ConfigFailure, MissingFailure
from gateway.cli.policy_simulate_text import Ledger, Report, as_json, as_text
from gateway.config import ConfigError, load_config
from gateway.config.config import Config
from gateway.config.names import did_you_mean
from gateway.routing.router import PINNED
from gateway.routing.sticky import draw_of, place_of_session
from policies.compile import compile_policy
from policies.objectives import most_measured
from policies.policy import Policy
from policies.simulation import Past, at_revisions, simulate, solved
from policies.snapshot import Snapshot

_DATABASE = "weighbridge.sqlite3"
_GENERATING = ("chat", "completions", "responses", "messages")
_GONE = "older than `ledger.keep_days`, of which only daily sums are kept"
_AGO = re.compile(r"(\d+)([dh])")


@click.command()
@click.option(
    "--config", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Routes, prices, policy."
)
@click.option("--policy", "name", metavar="NAME", help="One of the file's policies, where it has several.")
@click.option(
    "--from", "since", default="7d", show_default=True, metavar="WHEN", help="A date, a UTC time, or so long ago."
)
@click.option("--to", "until", metavar="WHEN", help="The same; until now, if not given.")
@click.option("--decided-by", multiple=True, metavar="POLICY", help="Only requests that this policy decided then.")
@click.option("--suite", metavar="SUITE", help="Whose pass@1 says what is solved; the policy's own, if not given.")
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object; money in integer nano-dollars.")
def simulate_command(
    config: Path,
    name: str | None,
    since: str,
    until: str | None,
    decided_by: tuple[str, ...],
    suite: str | None,
    as_object: bool,
) -> None:
    """Decide past requests anew by a policy in FILE: what they would have cost, and how many would be solved.

    The ledger and the scorecards are read from the state folder that FILE or WEIGHBRIDGE_STATE_DIR names; a gateway may
    be running. Costs are by the prices in FILE. What is solved is expected by the scorecards' pass@1, in the request's
    own language where that is known.

    \b
      weighbridge policy simulate --config weighbridge.yaml --policy cheaper
      weighbridge policy simulate --config new.yaml --policy auto --from 2026-11-16 --to 2026-11-23 --json
    """
    now = datetime.now(UTC)
    begin, end = _moment(since, now), now if until is None else _moment(until, now)
    if begin >= end:
        raise ConfigFailure(f"--from {begin:%Y-%m-%d %H:%M} is not before --to {end:%Y-%m-%d %H:%M}")
    loaded, policy = _policy(config, name)
    report = _simulated(loaded, policy, begin, end, decided_by, suite)
    click.echo(json.dumps(as_json(report), indent=2) if as_object else as_text(report))


def _policy(file: Path, name: str | None) -> tuple[Config, Policy]:
    try:
        config = load_config(file)
    except ConfigError as error:
        raise ConfigFailure(str(error)) from error
    if name is None and len(config.policies) != 1:
        raise ConfigFailure(f"{file} has several policies: name one with --policy ({', '.join(config.policies)})")
    policy = next(iter(config.policies.values())) if name is None else config.policies.get(name)
    if policy is None:
        raise ConfigFailure(f"{file} has no policy '{name}'; {did_you_mean(name or '', config.policies)}")
    return config, policy


def _simulated(
    config: Config, policy: Policy, begin: datetime, end: datetime, decided_by: Sequence[str], suite: str | None
) -> Report:
    past, ledger, served, stored = _read_store(config.store_url or config.state_dir / _DATABASE, begin, end, decided_by)
    routes = list(config.routes.values())
    for card in sorted(stored.scorecards, key=lambda card: card.measured_at):
        served.setdefault(card.route, card.revision)  # of a route that served nothing, what was measured last
    evidence = at_revisions(stored, routes, served)
    found = simulate(compile_policy(policy, routes, evidence), past)
    weighed = evidence.of_origin(policy.evidence)
    where = suite or (policy.suite[0] if policy.suite is not None else most_measured(routes, weighed)[0])
    sides = (solved(found.before, where, weighed), solved(found.after, where, weighed))
    return Report(policy, (begin, end), ledger, found, where, *sides)


def _read_store(
    store: Path | str, begin: datetime, end: datetime, decided_by: Sequence[str]
) -> tuple[list[Past], Ledger, dict[str, str], Snapshot]:
    from gateway.store.history import History, UnreadableStore  # noqa: PLC0415 (SQLAlchemy takes most of a second)

    try:
        with History.open(store) as history:
            time = begin.timestamp(), end.timestamp()
            past, ledger, served = _read(history.settled(*time), decided_by)
            if gone := sum(n for name, n in history.rolled_up(*time).items() if not decided_by or name in decided_by):
                ledger = replace(ledger, requests=ledger.requests + gone)
                ledger.left_out[_GONE] += gone
            return past, ledger, served, history.evidence()
    except UnreadableStore as error:
        raise MissingFailure(str(error)) from error


def _read(rows: Iterable[dict[str, object]], decided_by: Sequence[str]) -> tuple[list[Past], Ledger, dict[str, str]]:
    """What can be decided anew; what there was in all, and why not the rest; and each route's last revision."""
    past: list[Past] = []
    left_out: Counter[str] = Counter()
    served: dict[str, str] = {}
    requests = 0
    for row in rows:
        if decided_by and row["policy"] not in decided_by:
            continue
        requests += 1
        if row["route"]:
            served[str(row["route"])] = str(row["revision"])
        if (reason := _why_not(row)) is not None:
            left_out[reason] += 1
        else:
            past.append(_past(row))
    return past, Ledger(requests, left_out, sum(each.language is not None for each in past)), served


def _why_not(row: dict[str, object]) -> str | None:
    """Why a request cannot be decided anew."""
    if row["wire"] not in _GENERATING:
        return "of a wire that policies do not choose for"
    if row["policy"] == PINNED:
        return "pinned to a route by its name"
    if row["outcome"] != "ok":
        return "without a whole answer"
    if row["cache"] in ("hit", "shared"):
        return "answered by the cache, for nothing"
    return "whose tokens nobody counted" if row["usage_source"] == "unknown" else None


def _past(row: dict[str, object]) -> Past:
    session = row["session"]
    whose = str(session) if session is not None else str(row["id"])
    names = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "cache_write_1h_tokens")
    usage = Usage(*(_whole(row[name]) for name in names))
    return Past(
        route=str(row["route"]),
        revision=str(row["revision"]),
        usage=usage,
        cost_nanousd=_whole(row["cost_nanousd"]),
        language=str(row["language"]) if row["language"] is not None else None,
        session=str(session) if session is not None else None,
        draw=draw_of(place_of_session(whose)),
    )


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _moment(text: str, now: datetime) -> datetime:
    if ago := _AGO.fullmatch(text):
        return now - timedelta(**{{"d": "days", "h": "hours"}[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigFailure(f"{text!r} is no time: write 2026-11-16, 2026-11-16T09:00, 7d or 12h") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
