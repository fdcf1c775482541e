"""Plain tables: the same text with and without a terminal."""

from collections.abc import Collection, Sequence
from textwrap import fill

WIDTH = 100


def columns(rows: Sequence[Sequence[str]], left: Collection[int] = (0,), indent: str = "") -> list[str]:
    """Lines with every column as wide as its widest cell; numbers to the right, the columns ``left`` to the left."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = (
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """``text`` broken into lines of at most 100 characters; ``first`` and ``rest`` start the lines."""
    return fill(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def markdown(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; the first row is its head."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    head, *body = [f"| {' | '.join(row)} |" for row in escaped]
    return [head, "|" + " --- |" * len(rows[0]), *body]
