"""Text and truth values."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledgerlake.core.types.base import ANY, BLANKS, ColumnType

UNDECODABLE = "\uffff"
"""Stands for bytes that are no UTF-8: a noncharacter, which no text is meant to hold, unlike U+FFFD."""


def decoded(body: bytes) -> str:
    """Return bytes as text, :data:`UNDECODABLE` for each byte that is no UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return _ESCAPED.sub(UNDECODABLE, body.decode(errors="surrogateescape"))


_ESCAPED = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Text(ColumnType[str]):
    """Any text, as it stands: blanks, controls and letter case are kept."""

    name = "string"
    spark = "string"
    delta = "string"
    arrow = "string"
    snowflake = "VARCHAR"
    grammar = ANY
    unlike = "not a string"

    def _value(self, text: str) -> str:
        return text

    def canonical(self, value: str) -> str:
        """Return the text itself."""
        return value


@dataclass(frozen=True)
class Boolean(ColumnType[bool]):
    """True or false, by ten words in any letter case."""

    name = "boolean"
    spark = "boolean"
    delta = "boolean"
    arrow = "bool"
    snowflake = "BOOLEAN"
    grammar = "[tT]|[tT][rR][uU][eE]|[yY]|[yY][eE][sS]|1|[fF]|[fF][aA][lL][sS][eE]|[nN]|[nN][oO]|0"
    refusals = (BLANKS,)
    unlike = "not a boolean"

    def _value(self, text: str) -> bool:
        return text[0] in "tTyY1"

    def canonical(self, value: bool) -> str:
        """Return ``true`` or ``false``."""
        return "true" if value else "false"
