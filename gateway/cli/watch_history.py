"""The audit of what watching decided, for a person."""

import json
from collections.abc import Sequence

import msgspec

from gateway.cli.failure import MissingFailure
from gateway.cli.gateway_client import get_json
from gateway.cli.table import wrapped
from policies.admission import Admission


def history(base_url: str, limit: int, *, as_json: bool) -> str:
    found = get_json(base_url, "admissions", {"limit": limit})
    if as_json:
        return json.dumps(found, indent=2)
    try:
        rows = msgspec.convert(found["admissions"], list[Admission])
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise MissingFailure(f"{base_url} is no Weighbridge gateway of this version: {error}") from error
    return "\n\n".join(map(_text, rows)) or "nothing was decided yet: `weighbridge watch SUITE` watches"


def _text(row: Admission) -> str:
    lines = [
        f"{row.at}  {row.route}, revision {row.revision}: {row.before or 'no opinion'} -> {row.state}",
        wrapped(row.reason, "  why      ", "           "),
        f"  bounds   [{row.low:.3f}, {row.high:.3f}] at {row.confidence:.0%}, {row.tasks} draws",
        f"  run      {row.run_id}",
    ]
    return "\n".join([*lines, *_failing(row.failing)])


def _failing(failing: Sequence[str]) -> list[str]:
    return [wrapped(", ".join(failing), "  failing  ", "           ")] if failing else []
