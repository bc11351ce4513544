"""Objects in which a key stands twice: RFC 8259 leaves open which value counts, so the record is refused.

Parsers keep the last value in silence, and one that tells takes five times as long. So keys are
counted in the text first, and only a line that could hold one twice is parsed again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

STANDS_TWICE = "a key stands twice in an object"
_AFTER_KEY = b'":'


class Repetitions:
    """Tells lines with a repeated key apart, for lines that are mostly alike.

    A line with as many keys as one that was proven to repeat none, and the same ones on top where
    these are known, is taken for another of its kind.
    """

    def __init__(self) -> None:
        self._proven: set[tuple[Any, ...]] = set()

    def __call__(self, line: bytes, record: Mapping[str, Any] | None = None) -> bool:
        """Say whether a key stands twice in an object of the line; ``record`` is the line parsed, where it is known."""
        kind = (line.count(_AFTER_KEY), *(record or ()))
        if kind in self._proven:
            return False
        if stands_twice(line):
            return True
        self._proven.add(kind)
        return False

    def among(self, lines: Sequence[bytes], records: Sequence[Mapping[str, Any] | None]) -> list[int]:
        """Return the numbers of lines with a repeated key; ``records`` are the lines parsed.

        Flat records are counted exactly: together they have as many keys as their lines' text.
        """
        flat = sum([len(r) for r in records if r is not None])
        if b"\n".join(lines).count(_AFTER_KEY) == flat:
            return []
        odd = (
            n
            for n, (line, r) in enumerate(zip(lines, records, strict=True))
            if r is not None and line.count(_AFTER_KEY) != len(r)
        )
        return [n for n in odd if self(lines[n], records[n])]


class _Twice(Exception):
    """A key stands twice."""


def stands_twice(text: bytes) -> bool:
    """Say whether a key stands twice in an object of a JSON text; parses it whole."""
    try:
        json.loads(text, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except _Twice:
        return True
    except (ValueError, RecursionError):
        pass
    return False


def stands_twice_on_top(text: bytes, key: str) -> bool:
    """Say whether a key stands twice in the outermost object of a JSON text."""
    names: list[str] = []

    def keep(pairs: list[tuple[str, Any]]) -> None:
        names[:] = [name for name, _ in pairs]  # the outermost object ends last

    json.loads(text, object_pairs_hook=keep, parse_int=str, parse_float=str)
    return names.count(key) > 1


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _Twice
