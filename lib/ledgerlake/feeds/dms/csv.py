"""DMS rows of CSV as raw changes, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ledgerlake.config.models import Table
from ledgerlake.feeds.csv_files import bad_row
from ledgerlake.feeds.decoding.bodies import Body, Limits
from ledgerlake.feeds.decoding.changes import Changes, numbered
from ledgerlake.feeds.decoding.csv_columns import BadRow, CsvColumns, Rows
from ledgerlake.feeds.dms.layout import BEFORE, ROW_TABLE, is_full_load, place_of, row_names
from ledgerlake.feeds.dms.options import DmsSource
from ledgerlake.feeds.moment_text import usual_text
from ledgerlake.feeds.tabular import names_of
from ledgerlake.landing.manifest import LandedObject

_DAY_DIGITS = 8


@dataclass(frozen=True)
class DmsRows:
    """Reads one table's rows from full loads, changes and transaction files."""

    table: Table
    source: DmsSource

    def __call__(self, item: LandedObject, body: Body, limits: Limits) -> Iterator[Changes]:
        """Yield a file's rows as changes; what is no row of DMS is a problem, not an error."""
        names, only = names_of(item.layout), None
        if ROW_TABLE in names:
            schema, named = row_names(self.table)
            only = (named.encode(), schema.encode())
        header = self.source.header and only is None
        file = _File(self.table, self.source, names, f"{place_of(item)}|", full_load=is_full_load(item.source_name))
        for rows in CsvColumns(self.source, len(names), header, only)(item.source_name, body, limits):
            if isinstance(rows, BadRow):
                yield bad_row(rows, None, len(self.table.columns))
            else:
                yield from file.changes(rows)


@dataclass(frozen=True)
class _File:
    table: Table
    source: DmsSource
    names: Sequence[str]
    before: str
    full_load: bool

    def changes(self, rows: Rows) -> Iterator[Changes]:
        """Yield the changes of some rows: an update that moves a key deletes the old one first."""
        ops = self._column(rows, self.source.op_column)
        places = numbered(self.before, rows.ordinals, 12)
        order = None if self.full_load else self._order(rows)
        positions = places if order is None else self._ranked(order, places)
        problems = self._problems(rows, ops, order)
        raws = rows.raws(problems) if problems else None
        if moved := self._moved(rows, ops):
            yield self._deletes(rows, moved, positions)
        named: Any = "upsert" if ops is None else pc.if_else(pc.equal(pc.fill_null(ops, ""), "D"), "delete", "upsert")
        values = [self._column(rows, c.source_name) for c in self.table.columns]
        yield Changes(rows.ordinals, named, positions, values, problems, raws)

    def _column(self, rows: Rows, name: str | None) -> pa.Array | None:
        return rows.columns[self.names.index(name)] if name in self.names else None

    def _order(self, rows: Rows) -> pa.Array | None:
        """Return what orders rows of changes: the sequence, else the commit time; null where it is none."""
        if self.source.sequence_column:
            texts = pc.utf8_trim_whitespace(self._column(rows, self.source.sequence_column))
            digits = pc.match_substring_regex(texts, r"^[0-9]{1,35}$")
            return pc.utf8_lpad(pc.if_else(pc.fill_null(digits, False), texts, None), 35, "0")
        return committed(self._column(rows, self.source.timestamp_column)) if self.source.timestamp_column else None

    def _ranked(self, order: pa.Array, places: pa.Array) -> pa.Array:
        """Return positions of changes; commit times tie, so that file and row decide between them."""
        if self.source.sequence_column:
            return pc.binary_join_element_wise("1|", order, "")
        return pc.binary_join_element_wise("1|", order, pc.utf8_slice_codeunits(places, 1), "")

    def _problems(self, rows: Rows, ops: pa.Array | None, order: pa.Array | None) -> list[str | None] | None:
        found: list[str | None] = [None] * len(rows.ordinals)
        if order is not None and order.null_count:
            says = "no change sequence" if self.source.sequence_column else "no commit time"
            found = [says if missing else None for missing in pc.is_null(order).to_pylist()]
        if ops is not None:
            known = pc.is_in(ops, value_set=pa.array(["I", "U", "D"]))
            if not pc.all(known).as_py():
                found = [f if ok else "unknown Op" for f, ok in zip(found, known.to_pylist(), strict=True)]
        return found if any(found) else None

    def _moved(self, rows: Rows, ops: pa.Array | None) -> list[int]:
        """Return which rows are updates whose key was another before."""
        pairs = [(self._column(rows, k), self._column(rows, BEFORE + k)) for k in self._keys()]
        told = [(now, was) for now, was in pairs if was is not None]
        if ops is None or not told:
            return []
        tests = [pc.and_(pc.is_valid(was), pc.invert(pc.fill_null(pc.equal(was, now), False))) for now, was in told]
        any_moved = tests[0]
        for test in tests[1:]:
            any_moved = pc.or_(any_moved, test)
        updates = pc.and_(any_moved, pc.fill_null(pc.equal(ops, "U"), False))
        return [n for n, yes in enumerate(updates.to_pylist()) if yes]

    def _keys(self) -> list[str]:
        return [self.table.column(k).source_name for k in self.table.key]

    def _deletes(self, rows: Rows, moved: list[int], positions: pa.Array) -> Changes:
        """Return the deletes of the old keys; all other columns are as the update has them."""
        keys = set(self._keys())
        named = [
            BEFORE + n if n in keys and BEFORE + n in self.names else n
            for n in (c.source_name for c in self.table.columns)
        ]
        columns = [self._column(rows, n) for n in named]
        values = [None if c is None else c.take(pa.array(moved)) for c in columns]
        return Changes([rows.ordinals[n] for n in moved], "delete", positions.take(pa.array(moved)), values)


def committed(texts: pa.Array) -> pa.Array:
    """Return commit times as the names of DMS's files write them, in microseconds; null where a text is none."""
    digits = usual_text(texts)
    try:
        pc.cast(
            pc.utf8_rtrim(pc.replace_substring(pc.if_else(pc.is_valid(digits), texts, None), "+00:00", ""), "Z"),
            pa.timestamp("us"),
        )
        if digits.null_count == texts.null_count:
            return _dashed(digits)
    except pa.ArrowInvalid:  # of the usual form, and no moment
        pass
    return pa.array([None if text is None else _committed(text) for text in texts.to_pylist()], pa.string())


def _dashed(digits: pa.Array) -> pa.Array:
    day, clock = pc.utf8_slice_codeunits(digits, 0, _DAY_DIGITS), pc.utf8_slice_codeunits(digits, _DAY_DIGITS)
    return pc.binary_join_element_wise(day, clock, "-")


def _committed(text: str) -> str | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    moment = found.astimezone(UTC) if found.tzinfo else found
    return f"{moment.year:04d}{moment:%m%d-%H%M%S%f}"
