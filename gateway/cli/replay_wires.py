"""`weighbridge replay --wire chat,responses,messages`: one replay a wire, and whether they scored alike."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import get_args

import click

from evaluator.compare_runs import Incomparable, read_run
from evaluator.figures import share
from evaluator.replaying.summary import Summary
from evaluator.replaying.wire_honesty import LEVEL, WirePair, WireReport, interval, wire_report
from evaluator.replaying.wires import Wire
from gateway.cli.failure import ConfigFailure, Failure
from gateway.cli.replay_run import Options, replayed
from gateway.cli.table import columns, wrapped

_WIRES: tuple[Wire, ...] = get_args(Wire)


def parsed_wires(text: str) -> tuple[Wire, ...]:
    """In the order in which they are named, each once. Raises click.BadParameter."""
    named = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in named if word not in _WIRES]
    if unknown or not named:
        raise click.BadParameter(f"{', '.join(unknown) or 'nothing'}: write one or more of {', '.join(_WIRES)}")
    return tuple(sorted({wire for wire in _WIRES if wire in named}, key=named.index))


async def replay_wires(options: Sequence[Options]) -> None:
    """``options``: one a wire. Raises Failure, also where the wires do not score alike."""
    first = options[0]
    if first.until is not None:
        raise ConfigFailure("--until may stop each wire at other tasks: ask one wire, or leave --until away")
    summaries = {each.wire: await replayed(each, f"{each.wire}: ") for each in options}
    try:
        report = wire_report({wire: read_run(summary.folder) for wire, summary in summaries.items()})
    except Incomparable as error:
        raise Failure(f"the wires cannot be compared: {error}") from error
    click.echo(json.dumps(_as_json(summaries, report), indent=2) if first.as_json else _text(summaries, report))
    if report.unlike:
        told = ", ".join(f"{pair.first} and {pair.second} (p = {pair.p_holm:.3g})" for pair in report.unlike)
        raise Failure(f"the wires do not score alike: {told}")


def _text(summaries: Mapping[Wire, Summary], report: WireReport) -> str:
    titles = [summary.lines()[0] for summary in summaries.values()]
    return "\n".join([titles[0], *_rates(report), *map(_pair, report.pairs), *_verdict(report), *_runs(summaries)])


def _rates(report: WireReport) -> Iterator[str]:
    rows = [("wire", "pass@1", "95% interval", "tasks", "no answer", "unscorable")]
    for wire, card in report.cards.items():
        low, high = interval(card)
        counts = (str(card.tasks), str(card.no_answer), str(card.unscorable))
        rows.append((wire, share(card.pass_at_1), f"{low:.3f} to {high:.3f}", *counts))
    yield from columns(rows, (0,), "  ")


def _pair(pair: WirePair) -> str:
    found = pair.paired
    return wrapped(
        f"{pair.first} and {pair.second}: {found.tasks} tasks paired: {len(found.better)} better,"
        f" {len(found.worse)} worse, {found.alike} alike; p = {found.p_value:.3f} ({found.test}),"
        f" {pair.p_holm:.3f} by Holm",
        "  ",
        "    ",
    )


def _verdict(report: WireReport) -> Iterator[str]:
    if report.unlike:
        yield f"  the wires do NOT score alike (p < {LEVEL} by Holm)"
    else:
        yield f"  no difference between the wires is shown (p >= {LEVEL} by Holm)"


def _runs(summaries: Mapping[Wire, Summary]) -> Iterator[str]:
    yield from (f"  {wire}: {summary.folder}; scorecards {summary.posted.note}" for wire, summary in summaries.items())


def _as_json(summaries: Mapping[Wire, Summary], report: WireReport) -> dict[str, object]:
    return {
        "wires": {
            wire: {"pass_at_1": card.pass_at_1, "interval_95": interval(card), "result": summaries[wire].as_json()}
            for wire, card in report.cards.items()
        },
        "pairs": [{**asdict(replace(pair)), "alike": pair.alike} for pair in report.pairs],
        "alike": not report.unlike,
    }
