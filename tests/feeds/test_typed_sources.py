"""Parquet is judged as strictly as text: what loses nothing is taken, the rest is a reason or refuses its object."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from house import House, rows_of
from ledgerlake.config.models import Table
from ledgerlake.core.types import column_type
from ledgerlake.core.types.sources import never
from ledgerlake.errors import SourceError
from ledgerlake.feeds.parquet_files import parquet_layout

PIPELINE = """
pipeline: bank
sources:
  files: {feed: dump, location: files, options: {format: parquet}}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
TABLE = """
table: facts
source: files
resource: facts
key: [id]
on_new_column: ignore
columns:
  - {name: id, type: string, nullable: false}
"""
NS = 1_767_225_600_000_000_000  # 2026-01-01


def parquet(values: pa.Array, **more: pa.Array) -> bytes:
    sink = io.BytesIO()
    ids = pa.array([str(n) for n in range(len(values))])
    pq.write_table(pa.table({"id": ids, "v": values, **more}), sink, use_deprecated_int96_timestamps=False)
    return sink.getvalue()


# type of the column, options, delivered values → what is loaded, and the reasons of the rest
CASES: dict[str, tuple[str, pa.Array, list[str], list[str]]] = {
    "doubles for an integer": ("integer", pa.array([30.0, 7.9, 30.75, -0.9, 1.2345678e7, 1e300, float("nan"), -0.0]), ["0", "12345678", "30"],
        ["has decimals", "has decimals", "has decimals", "not an integer", "written with an exponent"]),
    "longs for an integer": ("integer", pa.array([1, 2**31]), ["1"], ["outside the range of integer"]),
    "longs for a string": ("string", pa.array([7, 2**62]), ["4611686018427387904", "7"], []),
    "whole numbers for a boolean": ("boolean", pa.array([0, 1, 2]), ["False", "True"], ["not a boolean"]),
    "unsigned longs for a bigint": ("bigint", pa.array([1, 2**64 - 1], pa.uint64()), ["1"], ["outside the range of bigint"]),
    "decimals for an integer": ("integer", pa.array([Decimal("12.00"), Decimal("12.50")]), ["12"], ["has decimals"]),
    "finer decimals for a decimal": ("decimal(18,2)", pa.array([Decimal("1.5000000000"), Decimal("1.0050000000"), Decimal("0E-10")]), ["0.00", "1.50"], ["more decimals than decimal(18,2)"]),
    "small decimals for a string": ("string", pa.array([Decimal("0.0000000001")]), ["0.0000000001"], []),
    "longs for a decimal": ("decimal(5,2)", pa.array([999, 1000]), ["999.00"], ["more digits than decimal(5,2)"]),
    "moments for a date": ("date", pa.array([datetime(2026, 1, 1), datetime(2026, 1, 1, 10)]), ["2026-01-01"], ["has a time of day"]),
    "nanoseconds, as pandas writes them": ("timestamp", pa.array([NS, NS + 1_000, NS + 1, -1], pa.timestamp("ns")), ["2026-01-01 00:00:00", "2026-01-01 00:00:00.000001"],
        ["finer than a microsecond", "finer than a microsecond"]),
    "nanoseconds to be rounded": ("timestamp, finer: round", pa.array([NS + 1_499, NS + 1_500], pa.timestamp("ns", "UTC")), ["2026-01-01 00:00:00.000001", "2026-01-01 00:00:00.000002"], []),
    "moments of far years": ("timestamp", pa.array([NS // 1000, 400_000_000_000_000_000, -70_000_000_000_000_000], pa.timestamp("us")), ["2026-01-01 00:00:00"],
        ["outside the years 1 to 9999", "outside the years 1 to 9999"]),
    "dates of far years": ("date", pa.array([0, 2**31 - 1, -800_000], pa.date32()), ["1970-01-01"], ["outside the years 1 to 9999", "outside the years 1 to 9999"]),
    "local moments of a declared zone": ("timestamp, zone: Europe/Berlin", pa.array([datetime(2026, 3, 1, 11), datetime(2026, 3, 29, 2, 30)]), ["2026-03-01 10:00:00"],
        ["no such day, or a local time that Europe/Berlin skips or repeats"]),
    "moments in UTC, whatever zone is declared": ("timestamp, zone: Europe/Berlin", pa.array([NS // 1000], pa.timestamp("us", "UTC")), ["2026-01-01 00:00:00"], []),
    "epochs": ("timestamp, format: epoch_seconds", pa.array([1_767_225_600, 1_767_225_600_000, 2**63 - 1]), ["2026-01-01 00:00:00"],
        ["as seconds outside the years 1900 to 2200", "as seconds outside the years 1900 to 2200"]),
    "epochs as doubles": ("timestamp, format: epoch_millis", pa.array([1_767_225_600_000.0, 1.5]), ["2026-01-01 00:00:00"], ["not a whole number of millis"]),
    "dictionaries": ("string", pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "a", "b"], []),
    "nothing but nulls": ("integer", pa.nulls(2), ["None", "None"], []),
}  # fmt: skip


def with_column(kind: str) -> str:
    name, *options = kind.split(", ")
    return TABLE + f"  - {{name: v, type: \"{name}\"{''.join(f', {o}' for o in options)}}}\n"


@pytest.mark.parametrize("case", CASES)
def test_a_typed_value_is_taken_exactly_or_refused_with_its_reason(house: House, case: str) -> None:
    kind, values, taken, reasons = CASES[case]
    house.declare(PIPELINE, with_column(kind)).deliver("files/facts/1.parquet", parquet(values)).load()

    assert sorted(row[1] if row[1] is not None else "None" for row in map(_texts, rows_of(house.silver("facts")))) == taken
    assert house.reasons("facts") == sorted(f"v: {r}" for r in reasons)


def _texts(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if v is None else str(v) for v in row)


NEVER: dict[str, tuple[str, pa.Array, str]] = {
    "doubles for a decimal": ("decimal(18,2)", pa.array([1.5]), "is a double, which is not exact"),
    "floats for a key's text": ("string", pa.array([1.5], pa.float32()), "is a float, which is not exact"),
    "moments for an integer": ("integer", pa.array([datetime(2026, 1, 1)]), "is a moment, where a integer is declared"),
    "dates for a bigint": ("bigint", pa.array([date(2026, 1, 1)]), "is a date, where a bigint is declared"),
    "numbers for a date": ("date", pa.array([20260101]), "is a number: declare"),
    "numbers for a moment": ("timestamp", pa.array([1_767_225_600]), "is a number: declare `format: epoch_seconds`"),
    "moments for an epoch": ("timestamp, format: epoch_seconds", pa.array([datetime(2026, 1, 1)]), "is a moment, no number: leave `format` out"),
    "booleans for an integer": ("integer", pa.array([True]), "is a boolean, where a integer is declared"),
    "structs for a string": ("string", pa.array([{"a": 1}]), "is a struct: declare its fields with `source: field.inner`"),
    "lists for a string": ("string", pa.array([[1]]), "is a list"),
    "maps for a string": ("string", pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "is a map"),
    "bytes for a string": ("string", pa.array([b"\xff\xfe"]), "is bytes, not text"),
    "times of day for a string": ("string", pa.array([time(10)]), "is a time of day"),
    "a decimal of 50 digits": ("decimal(38,2)", pa.array([Decimal(1)], pa.decimal256(50, 0)), "is a decimal of 50 digits"),
    "half floats": ("integer", pa.array([1.5], pa.float16()), "with which Spark opens no file"),
}  # fmt: skip


@pytest.mark.parametrize("case", NEVER)
def test_what_can_never_be_read_refuses_its_object_in_words(case: str) -> None:
    kind, values, says = NEVER[case]
    name, *options = kind.split(", ")
    column = {"name": "v", "type": name} | dict(o.split(": ") for o in options)
    declared = {"table": "t", "source": "s", "resource": "r", "key": ["id"], "columns": [{"name": "id", "type": "string", "nullable": False}, column]}  # fmt: skip

    with pytest.raises(SourceError, match=says):
        parquet_layout("f.parquet", parquet(values), Table.model_validate(declared))


def test_one_refused_object_lets_the_others_load(house: House) -> None:
    house.declare(PIPELINE, with_column("decimal(18,2)"))
    house.deliver("files/facts/1.parquet", parquet(pa.array([1.5])))
    house.deliver("files/facts/2.parquet", parquet(pa.array(["1.50"]))).load()

    assert rows_of(house.silver("facts")) == [("0", "1.50")]
    [refused] = [r for m in house.workspace().logs["facts"].all() for r in m.refused]
    assert "the column 'v' is a double" in refused.reason


def test_columns_that_nobody_declared_do_not_matter(house: House) -> None:
    odd = {
        "t": pa.array([time(10)]), "big": pa.array([Decimal(1)], pa.decimal256(50, 0)),
        "list": pa.array([[1]]), "nothing": pa.nulls(1), "ms": pa.array([2**62], pa.timestamp("ms")), "bytes": pa.array([b"\xff"]),
    }  # fmt: skip
    house.declare(PIPELINE, with_column("integer")).deliver("files/facts/1.parquet", parquet(pa.array([1]), **odd)).load()

    assert rows_of(house.silver("facts")) == [("0", 1)]


def test_a_new_column_of_a_type_that_no_contract_holds_is_named(house: House) -> None:
    house.declare(PIPELINE, with_column("integer").replace("on_new_column: ignore\n", ""))

    [record] = house.deliver("files/facts/1.parquet", parquet(pa.array([1]), at=pa.array([time(10)]))).load()

    assert "column 'at' is of type time, which no contract can hold" in record["reason"]


def test_fields_of_structs_are_read_by_their_path(house: House) -> None:
    inner = "  - {name: amount, source: v.money.amount, type: \"decimal(18,2)\"}\n  - {name: code, source: v.code, type: string}\n"
    values = pa.array([{"money": {"amount": Decimal("1.50"), "x": 1}, "code": "a"}, None])

    house.declare(PIPELINE, TABLE + inner).deliver("files/facts/1.parquet", parquet(values)).load()

    assert rows_of(house.silver("facts")) == [("0", "1.50", "a"), ("1", None, None)]


def test_int96_moments_before_1900_are_read_and_finer_ones_refused(house: House) -> None:
    def old(nanoseconds: int) -> bytes:
        sink = io.BytesIO()
        rows = pa.table({"id": ["0"], "v": pa.array([nanoseconds], pa.timestamp("ns"))})
        pq.write_table(rows, sink, use_deprecated_int96_timestamps=True)
        return sink.getvalue()

    house.declare(PIPELINE, with_column("timestamp"))
    house.deliver("files/facts/1.parquet", old(-3_000_000_000_000_001_000))
    house.deliver("files/facts/2.parquet", old(1)).load()

    assert rows_of(house.silver("facts")) == [("0", "1874-12-07 18:39:59.999999")]
    [refused] = [r for m in house.workspace().logs["facts"].all() for r in m.refused]
    assert "finer than a microsecond" in refused.reason


def test_milliseconds_beyond_every_year_refuse_their_object() -> None:
    declared = {"table": "t", "source": "s", "resource": "r", "key": ["v"], "columns": [{"name": "v", "type": "timestamp", "nullable": False}]}  # fmt: skip

    with pytest.raises(SourceError, match="outside the years 1 to 9999"):
        parquet_layout("f.parquet", parquet(pa.array([2**63 - 1], pa.timestamp("ms"))), Table.model_validate(declared))


def test_files_of_one_batch_may_type_a_column_differently(house: House) -> None:
    house.declare(PIPELINE, with_column("timestamp, zone: Europe/Berlin"))
    house.deliver("files/facts/1.parquet", parquet(pa.array([NS // 1000], pa.timestamp("us", "UTC"))))
    second = io.BytesIO()
    pq.write_table(pa.table({"id": ["7"], "v": ["2026-03-01 11:00:00"]}), second)
    house.deliver("files/facts/2.parquet", second.getvalue()).load()

    assert rows_of(house.silver("facts")) == [("0", "2026-01-01 00:00:00"), ("7", "2026-03-01 10:00:00")]


def test_what_is_written_has_the_type_that_is_declared_or_nothing_is_written(houses: Callable[[str], House]) -> None:
    house = houses("retyped").declare(PIPELINE, with_column("integer"))
    house.deliver("files/facts/1.parquet", parquet(pa.array([12]))).load()

    house.declare(PIPELINE, with_column("decimal(18,2)")).deliver("files/facts/2.parquet", parquet(pa.array(["12.50"])))
    [record] = house.load()

    assert "loaded as integer" in record["reason"]
    assert rows_of(house.bronze("facts").select("v")) == [(12,)]


@pytest.mark.parametrize("kind", ["string", "integer", "bigint", "boolean", "date", "timestamp", "decimal(18,2)"])
def test_text_can_be_any_column_s(kind: str) -> None:
    assert never("string", column_type(kind)) is None
