"""The frame of a report: one file that needs nothing else, neither a script nor the network."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from gateway.cli.failure import ConfigFailure
from gateway.cli.report.markup import Content, Html, element, joined

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Were anything here not escaped after all, a browser would still run and load nothing."""

html_option: Callable[[Any], Any] = click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write one HTML page with plots. It needs neither a script nor the network.",
)


def page(title: str, lead: Sequence[Content], *body: Content) -> str:
    """The whole document; ``lead`` are the lines under its title."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html((files(__package__) / "report.css").read_text("utf-8"))),
    )
    top = element("header", element("h1", title), *(element("p", line, class_="lead") for line in lead))
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    foot = element("footer", f"Written by weighbridge {version('weighbridge')}, {now}.")
    document = element("html", head, element("body", top, element("main", *body), foot), lang="en")
    return f"<!doctype html>\n{document.markup}\n"


def section(title: Content, *content: Content) -> Html:
    return element("section", element("h2", title), *content)


def table(caption: str, head: Sequence[Content], rows: Sequence[Sequence[Content]], *, words: bool = False) -> Html:
    """Its first column names the rows; the others are figures, or ``words``. Too wide a table scrolls sideways."""
    top = element("tr", *(element("th", cell, scope="col") for cell in head))
    body = (
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    )
    inner = (element("caption", caption), element("thead", top), element("tbody", *body))
    return scrollable(caption, element("table", *inner, class_="words" if words else None))


def scrollable(label: str, *content: Content) -> Html:
    """A box that is scrolled, also by keyboard, instead of the page."""
    return element("div", *content, class_="scroll", tabindex="0", role="region", aria_label=label)


def tiles(figures: Sequence[tuple[str, Content, Content]]) -> Html:
    """The figures to read first: each with its name and a line about it."""
    boxes = (element("div", name, element("b", value), note, class_="tile") for name, value, note in figures)
    return element("div", *boxes, class_="tiles")


def items(lines: Sequence[Content]) -> Html:
    return element("ul", joined(element("li", line) for line in lines))


def write(file: Path, document: str) -> None:
    """Whole or not at all. Raises ConfigFailure where it cannot be written."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(document, "utf-8")
        draft.replace(file)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise ConfigFailure(f"cannot write {file}: {error.strerror}") from error
