"""What every column's conversion is: from a parsed value to the exact text that the contract types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Convert = Callable[[Any, bytes], str | None]
"""(parsed value, its line) → text; raises :class:`Unreadable`."""


class Unreadable(ValueError):
    """A value that does not mean what is declared; says which column, and why."""


def refused(problem: str) -> Convert:
    """Return the conversion of a column that can hold nothing but null."""

    def convert(value: Any, _line: bytes) -> None:
        if value is not None:
            raise Unreadable(problem)

    return convert
