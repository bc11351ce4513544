"""Brings schemas, tables and reader views up to date, before the transaction begins.

Snowflake commits the open transaction at any DDL, so all of it happens here. One query tells
what exists; a publication that adds no column runs no DDL on tables or views at all.
"""

from __future__ import annotations

from collections.abc import Mapping

from ledgerlake.errors import PublishError, Where
from ledgerlake.ports.snowflake import is_missing
from ledgerlake.publish.model import PublishedColumn, TableSlice, Target
from ledgerlake.publish.names import bare, decimal_digits, qualified, quoted, snowflake_type
from ledgerlake.publish.session import Session

Columns = Mapping[str, str]  # column name → Snowflake type, in order
TEXT_TYPES = ("TEXT", "VARCHAR")


def prepare(session: Session, target: Target, slices: tuple[TableSlice, ...]) -> None:
    """Create or extend what the slices need; raise :class:`PublishError` on a changed type.

    A column new to a table is added (NULL for older rows) and shows in the reader view from
    then on; a column no longer declared stays in the table and leaves the view.
    """
    tables = _existing(session, target, target.schema)
    views = _existing(session, target, target.bi_schema)
    for part in slices:
        name = bare(part.table)
        if name not in tables:
            session.rows("create the table", create_table(target, part), where=Where(table=part.table))
        else:
            _extend(session, target, part, tables[name])
        if list(views.get(name, ())) != [bare(c.name) for c in part.columns]:
            session.rows("create the view", create_view(target, part), where=Where(table=part.table))


def create_schemas(session: Session, target: Target) -> None:
    """Create the database and both schemas where they are missing; make the tables' one current."""
    try:
        sql = f"SELECT SCHEMA_NAME FROM {quoted(target.database)}.INFORMATION_SCHEMA.SCHEMATA"
        present = {str(row[0]).upper() for row in session.rows("list the schemas", sql)}
    except PublishError as error:
        if not is_missing(error.__cause__):
            raise
        session.rows("create the database", f"CREATE DATABASE IF NOT EXISTS {quoted(target.database)}")
        present = set()
    for schema in (target.schema, target.bi_schema):
        if bare(schema) not in present:
            sql = f"CREATE SCHEMA IF NOT EXISTS {qualified(target.database, schema)}"
            session.rows("create the schema", sql)
    session.rows("use the schema", f"USE SCHEMA {qualified(target.database, target.schema)}")


def create_table(target: Target, part: TableSlice) -> str:
    """Return the DDL of the slice's table."""
    name = qualified(target.database, target.schema, part.table)
    return f"CREATE TABLE IF NOT EXISTS {name} ({column_list(part.columns)})"


def create_view(target: Target, part: TableSlice) -> str:
    """Return the DDL of the readers' view: secure, explicit columns, grants kept."""
    view = qualified(target.database, target.bi_schema, part.table)
    table = qualified(target.database, target.schema, part.table)
    columns = ", ".join(quoted(c.name) for c in part.columns)
    return f"CREATE OR REPLACE SECURE VIEW {view} COPY GRANTS AS SELECT {columns} FROM {table}"


def column_list(columns: tuple[PublishedColumn, ...]) -> str:
    """Return typed column definitions, as CREATE TABLE takes them."""
    return ", ".join(f"{quoted(c.name)} {snowflake_type(c.type)}" for c in columns)


def _existing(session: Session, target: Target, schema: str) -> dict[str, dict[str, str]]:
    sql = (
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE "
        f"FROM {quoted(target.database)}.INFORMATION_SCHEMA.COLUMNS "
        "WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME, ORDINAL_POSITION"
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, kind, precision, scale in session.rows("read the catalog", sql, bare(schema)):
        digits = f"({precision},{scale})" if kind == "NUMBER" else ""
        found.setdefault(str(table).upper(), {})[str(column).upper()] = f"{kind}{digits}"
    return found


def _extend(session: Session, target: Target, part: TableSlice, present: Columns) -> None:
    for column in part.columns:
        known = present.get(bare(column.name))
        if known is None:
            table = qualified(target.database, target.schema, part.table)
            sql = f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column_list((column,))}"
            session.rows("add the column", sql, where=Where(table=part.table, column=column.name))
        elif not _same_type(known, column.type):
            raise PublishError(
                f"the column is {known} in Snowflake but declared {column.type}",
                where=Where(table=part.table, column=column.name),
                then="alter the Snowflake column by hand after review, or publish under a new name",
            )


def _same_type(known: str, declared: str) -> bool:
    wanted = snowflake_type(declared)
    if decimal_digits(declared) or wanted.startswith("NUMBER"):
        return known == wanted
    return known == wanted.partition("(")[0] or (wanted == "VARCHAR" and known in TEXT_TYPES)
