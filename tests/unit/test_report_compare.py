"""Comparing two versions of a table by key."""

from __future__ import annotations

import pyarrow as pa
from ledgerlake.report.compare import RowChange, compare

BEFORE = pa.table({"id": ["a", "b", "c"], "amount": [1, 2, None]})


def test_equal_tables_in_another_order_do_not_differ() -> None:
    assert compare(BEFORE, BEFORE.take([2, 0, 1]), ["id"]) == []


def test_added_removed_and_changed_rows_come_in_the_order_of_their_keys() -> None:
    after = pa.table({"id": ["d", "b", "a"], "amount": [4, 3, 1]})

    assert compare(BEFORE, after, ["id"]) == [
        RowChange("changed", ("b",), {"amount": (2, 3)}),
        RowChange("removed", ("c",), {}),
        RowChange("added", ("d",), {}),
    ]


def test_a_null_that_becomes_a_value_is_a_change() -> None:
    after = pa.table({"id": ["a", "b", "c"], "amount": [1, 2, 0]})

    assert compare(BEFORE, after, ["id"]) == [RowChange("changed", ("c",), {"amount": (None, 0)})]


def test_a_new_column_was_null_before() -> None:
    after = BEFORE.append_column("note", pa.array(["x", None, None]))

    assert compare(BEFORE, after, ["id"]) == [RowChange("changed", ("a",), {"note": (None, "x")})]
