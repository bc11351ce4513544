"""Partition values: from ISO text to binds, and the DELETE that makes room for a slice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ledgerlake.errors import PublishError, Where
from ledgerlake.publish.model import TableSlice
from ledgerlake.publish.names import quoted, snowflake_type

VALUES_MAX = 1000  # per statement: far below Snowflake's 16,384 expressions in a list


def typed_value(text: str, type_name: str) -> object:
    """Return the value a driver hands back for partition text ``text`` of a ledgerlake type."""
    try:
        if type_name == "date":
            return date.fromisoformat(text)
        return int(text) if type_name in ("integer", "bigint") else text
    except ValueError as error:
        raise PublishError(f"a partition value is no {type_name}", then="rebuild the slice") from error


def scopes(part: TableSlice) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield (WHERE clause, binds) that together cover what the slice replaces, without overlap.

    A whole-table slice gives one empty clause; long partition lists are cut into several.
    """
    if part.partition_column is None:
        yield "", ()
        return
    column, kind = quoted(part.partition_column), part.type_of(part.partition_column)
    if kind not in ("date", "string", "integer", "bigint"):
        raise PublishError(
            f"a table cannot be partitioned by {kind}",
            where=Where(table=part.table, column=part.partition_column),
            then="partition by a date, string or integer column",
        )
    values = tuple(dict.fromkeys(part.partitions))
    for start in range(0, len(values), VALUES_MAX):
        some = values[start : start + VALUES_MAX]
        casts = ", ".join([f"CAST(? AS {snowflake_type(kind)})"] * len(some))
        yield f" WHERE {column} IN ({casts})", some
