"""What a run came to, for people; and its place in docs/chaos.md."""

import datetime
import os
from collections import Counter
from pathlib import Path

from tests.bench.report import commit, machine
from tests.chaos.audit.ledger import unbilled
from tests.chaos.run import Outcome

BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"
DOCUMENT = Path("docs/chaos.md")
_SHOWN = 5


def summary(outcome: Outcome, command: str) -> str:
    """Figures first, then every invariant with what contradicts it."""
    lines = [_origin(outcome, command), "", *_figures(outcome), ""]
    for name, found in outcome.contradictions.items():
        title = name.replace("_", " ")
        lines.append(f"- {title}: {'holds' if not found else f'**{len(found)} times not**'}")
        lines += [f"  - {one}" for one in found[:_SHOWN]]
    return "\n".join(lines) + "\n"


def document(outcome: Outcome, command: str) -> None:
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{summary(outcome, command)}{END}{after}")


def _origin(outcome: Outcome, command: str) -> str:
    now = datetime.datetime.now(datetime.UTC)
    load = os.getloadavg()[1]
    where = f"commit {commit()}, {machine()}, load average {load:.0f}"
    return f"{now:%Y-%m-%d %H:%M} UTC, `{command}`, {where}, {outcome.seconds:.0f} s."


def _figures(outcome: Outcome) -> list[str]:
    evidence, calm = outcome.evidence, outcome.calm
    sources = Counter(row["usage_source"] for row in evidence.rows if row["cache"] in ("miss", "bypass", None))
    nanousd: Counter[str] = Counter()
    for row in evidence.rows:
        nanousd[row["usage_source"]] += row["cost_nanousd"] or 0
    return [
        f"{len(evidence.answers)} requests: {_counts(outcome.outcomes)}.",
        f"Done to the services: {_counts(Counter(evidence.done.deeds))}.",
        f"Done to requests by the upstreams: {_counts(Counter(served.fault for served in evidence.served))}.",
        f"Rows that went upstream, by the source of their usage: {_counts(sources)};"
        f" in nano-dollars: {_counts(nanousd)}.",
        f"Requests whose worker died are billed nothing; upstreams spent {unbilled(evidence):,} nano-dollars on them"
        " at the most.",
        f"Outcomes in the ledger: {_counts(Counter(str(row['outcome']) for row in evidence.rows))}.",
        f"Nothing in flight or reserved after {calm.requests_s:.1f} s, descriptors as before after"
        f" {calm.descriptors_s:.1f} s more ({calm.descriptors:+d} in a worker).",
        f"{len(evidence.entries)} cached answers. {outcome.pulse.text}",
    ]


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counter.most_common())
