"""The texts of a table's fields in events, column by column; times as text also where they are milliseconds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.records import Path, Record, at, json_text, path_of, record_of, text_of
from ledgerlake.feeds.salesforce.events import ROOTS

Payload = Mapping[str, Any]
_MILLIS = re.compile(r"-?[0-9]{1,19}")
_EPOCH = datetime(1970, 1, 1)
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
"""Milliseconds of the first and the last moment of the years 1 to 9999."""


class Values:
    """Takes a table's fields (all but the record's id) from the payloads of events."""

    def __init__(self, table: Table) -> None:
        self._columns = [c for c in table.columns if c.source_name != "Id"]
        self._paths = [path_of(c.source_name) for c in self._columns]

    @property
    def tops(self) -> frozenset[str]:
        """Return the fields at the top of a payload that are read."""
        return frozenset(path[0] for path in self._paths)

    def any_in(self, payload: Payload) -> bool:
        """Say whether a payload has a value for any column."""
        return any(at(payload, path) is not None for path in self._paths)

    def texts(self, payloads: Sequence[Payload], lines: Sequence[bytes]) -> tuple[list[pa.Array], set[int]]:
        """Return each column's texts, and which payloads hold an object where a column wants one value.

        Such an object is a compound field, or Avro's JSON encoding with a type around each value.
        """
        nested: set[int] = set()
        arrays = []
        for column, path in zip(self._columns, self._paths, strict=True):
            values, of_time = _taken(payloads, path), column.type in ("date", "timestamp")
            texts = _moments(values) if of_time else None
            if texts is None:
                texts, objects = _texts(values, lines, path)
                texts, nested = _times(texts) if of_time else texts, nested | objects
            arrays.append(texts)
        return arrays, nested


def _taken(payloads: Sequence[Payload], path: Path) -> list[Any]:
    if len(path) == 1:
        [name] = path
        return [payload.get(name) for payload in payloads]
    return [at(payload, path) for payload in payloads]


def _texts(values: list[Any], lines: Sequence[bytes], path: Path) -> tuple[pa.Array, set[int]]:
    try:
        return pa.array(values, pa.string()), set()
    except pa.ArrowTypeError:  # not only text
        texts = [_text(v, line, path) for v, line in zip(values, lines, strict=True)]
        return pa.array(texts, pa.string()), {n for n, value in enumerate(values) if type(value) is dict}


def _text(value: Any, line: bytes, path: Path) -> str | None:
    if type(value) is not dict and type(value) is not list:
        return json_text(value)
    record: Record = record_of(line) or {}
    paths = [(*path_of(root)[:-1], *path) for root in ROOTS]
    return next(text_of(v, line, p) for p in paths if (v := at(record, p)) is not None)


def _moments(values: list[Any]) -> pa.Array | None:
    """Return epoch milliseconds as the texts of times, None where they are not all such, of calendar years."""
    try:
        millis = pa.array(values, pa.int64())
    except (pa.ArrowException, OverflowError):
        return None
    ends = pc.min_max(millis).as_py()
    if ends["min"] is not None and not (ends["min"] >= _FIRST and ends["max"] <= _LAST):
        return None
    texts = millis.cast(pa.timestamp("ms")).cast(pa.string())
    return pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), ".")


def _times(texts: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring_regex(texts, f"^{_MILLIS.pattern}$")).as_py():
        return texts
    return pa.array([t if t is None else time_of(t) for t in texts.to_pylist()], pa.string())


def time_of(text: str) -> str:
    """Return epoch milliseconds as a time's text; other text, and what no calendar year holds, as it is."""
    if not _MILLIS.fullmatch(text) or not _FIRST <= int(text) <= _LAST:
        return text
    moment = (_EPOCH + timedelta(milliseconds=int(text))).isoformat(" ")
    return moment.rstrip("0") if "." in moment else moment
