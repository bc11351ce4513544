"""The one door to the terminal: data is shown as text, never obeyed.

Values come from files and databases that others write. In a terminal an escape sequence can hide
or forge lines, a bidirectional mark can reverse an amount, and rich reads ``[…]`` as markup. So
what is no plain character is shown as an escape that can be seen, and only templates that stand
in this package's own code are read as markup.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.errors import MarkupError
from rich.markup import escape
from rich.table import Table as Grid
from rich.text import Text

# C0 and C1 controls, line and paragraph separators, marks of direction (UAX #9), interlinear marks, the BOM
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """Return ``text`` with every character that a terminal would obey written as an escape."""
    return _UNSEEN.sub(lambda m: _NAMED.get(m[0]) or (f"\\x{ord(m[0]):02x}" if m[0] < "\u0100" else f"\\u{ord(m[0]):04x}"), text)  # fmt: skip


def shown(value: object) -> str:
    """Return any value as people read it: nothing for null, digits for money, hexadecimal for bytes."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat(" ")
    return visible(value.isoformat() if isinstance(value, date) else str(value))


def filled(template: str, **values: object) -> str:
    """Return a template with its values as markup; only the template's own markup counts."""
    return template.format_map({name: escape(shown(value)) for name, value in values.items()})


def grid(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Grid:
    """Return a table for people; numbers stand right."""
    table = Grid(title=Text(visible(title)) if title else None, title_justify="left", header_style="bold")
    for index, name in enumerate(columns):
        given = [r[index] for r in rows if r[index] is not None]
        numeric = bool(given) and all(isinstance(v, (int, Decimal)) for v in given)
        table.add_column(Text(visible(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(v)) for v in row))
    return table


class Terminal(Console):
    """A console that shows what a text says even where it is no markup, and obeys no control character."""

    def __init__(self, *, stderr: bool = False, **options: Any) -> None:
        super().__init__(stderr=stderr, highlight=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return ``text`` rendered; line ends stay line ends."""
        safe = "\n".join(visible(line) for line in text.split("\n"))
        try:
            return super().render_str(safe, **options)
        except MarkupError:
            return super().render_str(safe, **(options | {"markup": False}))
