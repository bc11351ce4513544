"""Drift: which deliveries a contract takes in, and which it stops."""

from __future__ import annotations

import pytest
from ledgerlake.config.models import Table
from ledgerlake.errors import ContractError
from ledgerlake.lake.drift import added_columns, missing_columns

TABLE = Table.model_validate(
    {
        "table": "t", "source": "s", "resource": "r", "key": ["id"],
        "columns": [{"name": "id", "type": "string", "nullable": False}, {"name": "city", "type": "string", "source": "CITY"}],
    }
)  # fmt: skip
KNOWN = {"id": "string", "CITY": "string"}


def test_declared_columns_are_known_by_their_name_at_the_source() -> None:
    assert added_columns(TABLE, [KNOWN, {"id": "string"}]) == ()


def test_new_columns_are_added_once_in_the_order_seen() -> None:
    found = added_columns(TABLE, [KNOWN | {"Zip": "int"}, KNOWN | {"Zip": "int", "note": "string"}])

    assert [(c.name, c.type, c.source, c.nullable) for c in found] == [
        ("zip", "integer", "Zip", True),
        ("note", "string", "note", True),
    ]


@pytest.mark.parametrize(
    ("delivered", "says"),
    [
        ([{"x": "int"}, {"x": "string"}], "two types in one batch, int and string"),
        ([{"x": "double"}], "of type double, which no contract can hold"),
        ([{"city": "string"}], "not a usable name"),
        ([{"_batch_id": "string"}], "not a usable name"),
        ([{"new column": "string"}], "not a usable name"),
    ],
)
def test_what_a_contract_cannot_hold_stops_the_batch(delivered: list[dict[str, str]], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        added_columns(TABLE, [KNOWN | d for d in delivered])


def test_a_table_may_ignore_or_refuse_new_columns() -> None:
    new = [KNOWN | {"x": "int"}]

    assert added_columns(TABLE.model_copy(update={"on_new_column": "ignore"}), new) == ()
    with pytest.raises(ContractError, match="new, and the table refuses new columns"):
        added_columns(TABLE.model_copy(update={"on_new_column": "refuse"}), new)


def test_two_new_names_that_differ_only_in_case_stop_the_batch() -> None:
    with pytest.raises(ContractError, match="not a usable name"):
        added_columns(TABLE, [KNOWN | {"Note": "string", "NOTE": "string"}])


def test_a_missing_key_stops_the_batch_and_a_missing_nullable_column_does_not() -> None:
    missing_columns(TABLE, {"id": "string"})
    with pytest.raises(ContractError, match="column 'id' is missing from the delivery"):
        missing_columns(TABLE, {"CITY": "string"})
