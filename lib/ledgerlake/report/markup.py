"""HTML and SVG as values: whatever is not markup already is escaped on its way in."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

VOID = frozenset({"meta", "br", "col"})


class Markup(str):
    """Text that is HTML already; plain strings are not, and get escaped."""

    __slots__ = ()


EMPTY = Markup("")


def escape(value: object) -> Markup:
    """Return ``value`` as HTML; only :class:`Markup` passes unchanged."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Return the parts one after the other, each escaped unless it is markup."""
    return Markup(escape(between).join(escape(part) for part in parts))


def tag(element: str, /, *children: object, **attributes: object) -> Markup:
    """Return an element; ``class_`` and ``aria_label`` become ``class`` and ``aria-label``.

    Attributes that are None are left out, True stands alone.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if element in VOID:
        return Markup(f"<{element}{given}>")
    return Markup(f"<{element}{given}>{join(children)}</{element}>")


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(str(value), quote=True)}"'


@dataclass(frozen=True)
class Column:
    """A table's column: its heading, and whether its cells are words, figures or a picture.

    ``short`` words and ``code`` stay on one line.
    """

    title: str
    kind: Literal["text", "short", "number", "code", "picture"] = "text"


def table(columns: Sequence[Column], rows: Iterable[Sequence[object]], label: str) -> Markup:
    """Return a table that scrolls sideways in its own box where the page is narrow."""
    return scrolling(tag("table", table_head(columns), table_body(columns, rows)), label)


def scrolling(content: Markup, label: str) -> Markup:
    """Return a box that the keyboard can scroll too."""
    return tag("div", content, class_="scroll", role="region", aria_label=label, tabindex="0")


def table_head(columns: Sequence[Column]) -> Markup:
    """Return the row of headings."""
    cells = [tag("th", c.title, scope="col", class_=c.kind) for c in columns]
    return tag("thead", tag("tr", *cells))


def table_body(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Markup:
    """Return rows of cells; the first cell of each is its heading."""
    return tag("tbody", *(_row(columns, row) for row in rows))


def _row(columns: Sequence[Column], cells: Sequence[object]) -> Markup:
    pairs = list(zip(columns, cells, strict=True))
    (column, cell), rest = pairs[0], pairs[1:]
    heading = tag("th", cell, scope="row", class_=column.kind)
    return tag("tr", heading, *(tag("td", value, class_=c.kind) for c, value in rest))
