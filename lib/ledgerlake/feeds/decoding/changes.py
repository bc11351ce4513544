"""What a decoder gives for a chunk of lines: raw changes as columns (see :mod:`ledgerlake.feeds.base`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from ledgerlake.config.models import Table
from ledgerlake.feeds.decoding.records import json_text

Texts: TypeAlias = "Sequence[str | None] | pa.Array"
"""One text or null for each change."""

_FIRST = (
    ("_object", pa.string()), ("_ordinal", pa.int64()), ("_op", pa.string()), ("_position", pa.string()),
    ("_problem", pa.string()), ("_raw", pa.string()), ("_carried", pa.list_(pa.string())),
)  # fmt: skip


def changes_schema(table: Table) -> pa.Schema:
    """Return the Arrow schema of a table's raw changes, every contract column as text."""
    return pa.schema([*_FIRST, *((name, pa.string()) for name in table.column_names)])


@dataclass(frozen=True)
class Changes:
    """Raw changes as columns; ``values`` are the contract's, in its order.

    One text for ``ops`` holds for all; None for the others means null for all. Values may be
    whole numbers and booleans too.
    """

    ordinals: Sequence[int]
    ops: str | Texts
    positions: Texts | None
    values: Sequence[Texts | Sequence[Any] | None]
    problems: Texts | None = None
    raws: Texts | None = None
    carried: Sequence[Sequence[str] | None] | None = None

    @staticmethod
    def of_rows(rows: Iterable[tuple[Any, ...]], columns: int) -> Changes:
        """Return changes from rows (ordinal, op, position, problem, raw, carried, *values)."""
        told = list(zip(*rows, strict=True)) or [()] * (6 + columns)
        ordinals, ops, positions, problems, raws, carried, *values = told
        return Changes(ordinals, ops, positions, values, problems, raws, carried)

    def batch(self, path: str, schema: pa.Schema) -> pa.RecordBatch:
        """Return the changes as Arrow, all of the landed object at ``path``."""
        count = len(self.ordinals)
        ops = pa.repeat(self.ops, count) if isinstance(self.ops, str) else pa.array(self.ops, pa.string())
        columns = [self.positions, self.problems, self.raws, self.carried, *self.values]
        filled = (_array(column, count, field.type) for column, field in zip(columns, list(schema)[3:], strict=True))
        return pa.RecordBatch.from_arrays(
            [pa.repeat(path, count), pa.array(self.ordinals, pa.int64()), ops, *filled], schema=schema
        )


def _array(column: Any, count: int, kind: pa.DataType) -> pa.Array:
    if column is None:
        return pa.nulls(count, kind)
    if isinstance(column, pa.Array):
        return column
    try:
        return pa.array(column, kind)
    except pa.ArrowTypeError:  # not only text
        return pa.array([json_text(value) for value in column], kind)


def numbered(before: str, numbers: Sequence[int], digits: int) -> pa.Array:
    """Return ``before`` and each number, of that many digits."""
    texts = pc.utf8_lpad(pa.array(numbers, pa.int64()).cast(pa.string()), digits, "0")
    return pc.binary_join_element_wise(before, texts, "")
