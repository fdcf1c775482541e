"""`weighbridge keys create --from FILE`: one key a line of a CSV file, in one call."""

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.failure import ConfigFailure

Convert = Callable[[str], Any]
_WORDS = ("routes", "policies")
_SHOWN = ("key", "id", "owner", "team", "customer")


def orders_of(file: Path, converters: Mapping[str, Convert], common: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the API is asked for. ``converters`` are of the columns that a file may have; ``common`` is what holds where
    a line says nothing. Raises ``ConfigFailure``.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig")), restkey="?", strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigFailure(f"{file} cannot be read as CSV: {error}") from error
    if not rows:
        raise ConfigFailure(f"{file} has no line below its head; the first line names columns, such as owner,customer")
    if unknown := [name for name in rows[0] if name not in (*converters, "?")]:
        raise ConfigFailure(f"{file}: there is no column {unknown[0]!r}; there are {', '.join(converters)}")
    return [{**common, **_order(file, number, row, converters)} for number, row in enumerate(rows, 2)]


def as_csv(made: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _SHOWN, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(made)
    return text.getvalue().rstrip("\n")


def _order(file: Path, number: int, row: Mapping[str, Any], converters: Mapping[str, Convert]) -> dict[str, Any]:
    if "?" in row:
        raise ConfigFailure(f"{file}, line {number}: it has more fields than the head has names")
    order: dict[str, Any] = {}
    for name, text in row.items():
        if text is None or not text.strip():
            continue
        try:
            order[name] = text.split() if name in _WORDS else converters[name](text.strip())
        except click.ClickException as error:
            raise ConfigFailure(f"{file}, line {number}, {name}: {error.message}") from error
    return order
