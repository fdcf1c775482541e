"""HTML and SVG from elements. Text is escaped by construction: only what :func:`element` made is markup."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

_VOID = frozenset({"meta", "br"})
_CONTROL_PICTURES = 0x2400


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe as it stands."""

    markup: str


Content = Html | str


def element(name: str, /, *content: Content, **attributes: str | float | bool | None) -> Html:
    """``<name>`` around its content. Attributes: ``class_`` for class, ``_`` for ``-``; None and False are left out."""
    start = name + "".join(_attribute(key, value) for key, value in attributes.items())
    return Html(f"<{start}>" if name in _VOID else f"<{start}>{joined(content).markup}</{name}>")


def joined(content: Iterable[Content]) -> Html:
    """One after the other; text is escaped."""
    return Html("".join(item.markup if isinstance(item, Html) else escape(visible(item)) for item in content))


def visible(text: str) -> str:
    """``text`` with everything shown that hides: control characters, direction marks, lone surrogates.

    Models and judged programs write it: a report must not be where their text deceives, nor be invalid HTML.
    """
    if text.isprintable():
        return text
    lines = text.replace("\r\n", "\n")
    return "".join(char if char.isprintable() or char in "\n\t" else _shown(ord(char)) for char in lines)


def _shown(code: int) -> str:
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{code:04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}"


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    written = visible(value) if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
    return f' {name}="{escape(written)}"'
