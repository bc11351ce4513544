"""Lines parsed exactly: numbers keep their digits, a line is one JSON object and nothing else.

Source: RFC 8259. What it does not allow is not read: trailing content, NaN, single quotes,
control characters in strings, text that is not UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
import pyarrow as pa

from ledgerlake.feeds.decoding.keys import STANDS_TWICE, Repetitions

Record = Mapping[str, Any]
"""A parsed line: text, numbers with a fraction or an exponent as the text they were, all else as Python has it."""
Path = tuple[str, ...]
"""Names from the top of a record downwards."""

_PARTS = re.compile(r'(?:^|(?<=\.))("[^"]+"|[^.]*)(?=\.|$)')
_EMPTY: Record = {}
_record = msgspec.json.Decoder(dict[str, Any], float_hook=str).decode
fields_of = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""Return an object's fields as the texts they are; raises :class:`msgspec.MsgspecError` where it is none."""


def record_of(line: bytes) -> dict[str, Any] | None:
    """Return the line's record, None where it is not exactly one JSON object."""
    try:
        return _record(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def raw_of(line: bytes) -> str:
    """Return a line as text for people: what is not UTF-8 is replaced."""
    return line.decode("utf-8", "replace")


def path_of(dotted: str) -> Path:
    """Return a dotted path's names; one that holds a dot itself stands in double quotes: ``"user.name".first``."""
    if '"' not in dotted:
        return tuple(dotted.split("."))
    return tuple(part[1:-1] if part[:1] == '"' else part for part in _PARTS.findall(dotted))


def at(record: Any, path: Path) -> Any:
    """Return what stands at a path, None where nothing does."""
    for name in path:
        if type(record) is not dict:
            return None
        record = record.get(name)
    return record


def text_at(record: Record, line: bytes, path: Path) -> str | None:
    """Return the text of what stands at a path: of objects and arrays their JSON without spaces."""
    return text_of(at(record, path), line, path)


def json_text(value: Any) -> str | None:
    """Return the text of a value by itself; numbers with a fraction inside an object or array become strings."""
    if value is None or type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    return str(value) if type(value) is int else msgspec.json.encode(value).decode()


def text_of(value: Any, line: bytes, path: Path) -> str | None:
    """Return the text of a value that stands in ``line`` at ``path``."""
    if type(value) not in (dict, list):
        return json_text(value)
    for name in path:  # numbers inside have become text: only the line itself tells them apart
        line = bytes(fields_of(line)[name])
    return msgspec.json.format(line, indent=-1).decode()


def texts_of(values: Sequence[Any], lines: Sequence[bytes], path: Path) -> pa.Array:
    """Return the texts of values that stand at ``path`` of their lines."""
    try:
        return pa.array(values, pa.string())
    except pa.ArrowTypeError:  # not only text
        return pa.array([text_of(v, line, path) for v, line in zip(values, lines, strict=True)], pa.string())


class Records:
    """The records of a chunk of lines, column by column; lines without a record count as empty ones."""

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.lines = lines
        parsed = [record_of(line) for line in lines]
        self._doubled = Repetitions().among(lines, parsed)
        for number in self._doubled:
            parsed[number] = None
        self.unread = [r is None for r in parsed]
        """Which lines are not one JSON object, or one that says a thing twice."""
        self.any_unread = True in self.unread
        self.all: list[Record] = [_EMPTY if r is None else r for r in parsed] if self.any_unread else parsed  # type: ignore[assignment]

    def problems(self) -> list[str | None] | None:
        """Return what is wrong with each line, None where all are one JSON object."""
        if not self.any_unread:
            return None
        found = ["not a JSON object" if unread else None for unread in self.unread]
        for number in self._doubled:
            found[number] = STANDS_TWICE
        return found

    def raws(self, problems: Sequence[str | None] | None) -> list[str | None] | None:
        """Return the lines that have a problem as text, None where no line has one."""
        if problems is None:
            return None
        return [raw_of(line) if problem else None for line, problem in zip(self.lines, problems, strict=True)]

    def texts(self, path: Path) -> list[str | None]:
        """Return the text at a path of every record."""
        return [text_at(r, line, path) for r, line in zip(self.all, self.lines, strict=True)]

    def columns(self, paths: Sequence[Path]) -> list[pa.Array]:
        """Return the texts at each path, as Arrow has them."""
        return [texts_of(values, self.lines, path) for values, path in zip(self._values(paths), paths, strict=True)]

    def _values(self, paths: Sequence[Path]) -> Iterable[Sequence[Any]]:
        parents = {path[:-1] for path in paths}
        if len(parents) == 1 and len(paths) > 1:  # all fields of one object, mostly all there: taken in one step
            [parent] = parents
            within = [at(r, parent) for r in self.all] if parent else self.all
            try:
                return zip(*map(itemgetter(*(path[-1] for path in paths)), within), strict=True)
            except (KeyError, TypeError):
                pass
        return ([at(r, path) for r in self.all] for path in paths)

    def present(self, path: Path) -> list[bool]:
        """Return whether each record says something at a path, be it null."""
        parents = (at(r, path[:-1]) for r in self.all)
        return [type(p) is dict and path[-1] in p for p in parents]
