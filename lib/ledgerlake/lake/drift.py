"""Schema drift: what a delivery's columns mean for the table. The contract decides, not the engine."""

from __future__ import annotations

from ledgerlake.config.models import Column, Table
from ledgerlake.core.types import contract_type
from ledgerlake.errors import ContractError, Where


def added_columns(table: Table, delivered: list[dict[str, str]]) -> tuple[Column, ...]:
    """Return columns that arrived without being declared, in the order seen.

    ``delivered`` are the payload columns (name → Spark type) of each object. Raises
    :class:`ContractError` where a new column is refused by the table, has a type that no
    contract can hold, or where objects disagree on its type.
    """
    known = {c.source_name for c in table.columns}
    found: dict[str, str] = {}
    for columns in delivered:
        for name, kind in columns.items():
            if name in known:
                continue
            if found.setdefault(name, kind) != kind:
                raise _breaking(table, name, f"two types in one batch, {found[name]} and {kind}", "deliver one type")
    if found and table.on_new_column == "refuse":
        raise _breaking(
            table, next(iter(found)), "new, and the table refuses new columns", "declare it in the table's YAML"
        )
    lowered = [n.lower() for n in found]
    for name in found:
        if lowered.count(name.lower()) > 1:
            raise _breaking(table, name, "not a usable name: another differs only in case", "deliver one of them")
    return () if table.on_new_column == "ignore" else tuple(_column(table, n, k) for n, k in found.items())


def missing_columns(table: Table, columns: dict[str, str]) -> None:
    """Raise :class:`ContractError` where a delivery lacks a column that may not be null."""
    for column in table.columns:
        if column.source_name not in columns and (not column.nullable or column.name in table.key):
            raise _breaking(table, column.name, "missing from the delivery", "restore the column at the source")


def _column(table: Table, name: str, kind: str) -> Column:
    known = contract_type(kind)
    if known is None:
        raise _breaking(
            table, name, f"of type {kind}, which no contract can hold", "declare it in the table's YAML with a type"
        )
    safe = name.lower()
    if not safe.isidentifier() or safe.startswith("_") or safe in table.column_names:
        raise _breaking(table, name, "not a usable name", "declare it in the table's YAML with `source:`")
    return Column(name=safe, type=known, source=name)


def _breaking(table: Table, column: str, what: str, then: str) -> ContractError:
    return ContractError(
        f"breaking schema change: column {column!r} is {what}", where=Where(table=table.table, column=column), then=then
    )
