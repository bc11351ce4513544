"""Names, types, read-only queries and governance SQL: pure text, no server."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import sqlglot
from ledgerlake.errors import ConfigError, PublishError
from ledgerlake.publish import Publication, PublishedColumn, TableSlice, Target
from ledgerlake.publish.catalog import create_view
from ledgerlake.publish.checks import check
from ledgerlake.publish.governance import PiiColumn, governance_sql, mask_expression
from ledgerlake.publish.names import literal, qualified, snowflake_type
from ledgerlake.publish.partitions import scopes
from ledgerlake.publish.query import require_read_only
from sqlglot import exp

TARGET = Target("fin", "mart", "bi")
COLUMNS = (
    PublishedColumn("id", "string"),
    PublishedColumn("day", "date"),
    PublishedColumn("amount", "decimal(18,2)"),
)


def slice_of(**changes: object) -> TableSlice:
    facts: dict[str, object] = {
        "table": "invoices",
        "columns": COLUMNS,
        "key": ("id",),
        "partition_column": "day",
        "partitions": ("2026-01-01",),
        "files": (Path("/data/part.parquet"),),
        "expected_rows": 1,
        "control_totals": {"amount": Decimal("1.00")},
        "key_hash": "1:1",
    }
    return TableSlice(**{**facts, **changes})  # type: ignore[arg-type]


def publication_of(*slices: TableSlice) -> Publication:
    return Publication("p1", "p0", 1, "billing", "r1", date(2026, 1, 1), "1", "f", {}, "{}", slices)


@pytest.mark.parametrize("name", ["", "1a", 'a"b', "a b", "a;drop", "ü", "a" * 256])
def test_a_name_that_is_no_identifier_is_refused(name: str) -> None:
    with pytest.raises(PublishError, match="not a name"):
        qualified("fin", name)


def test_names_are_upper_cased_and_quoted() -> None:
    assert qualified("fin", "order") == '"FIN"."ORDER"'


def test_a_literal_cannot_be_left() -> None:
    assert literal("o'clock\\") == "'o''clock\\\\'"


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("decimal(38, 10)", "NUMBER(38,10)"),
        ("timestamp", "TIMESTAMP_NTZ(6)"),
        ("bigint", "NUMBER(19,0)"),
    ],
)
def test_types_map_to_snowflake(declared: str, expected: str) -> None:
    assert snowflake_type(declared) == expected


@pytest.mark.parametrize("declared", ["decimal(39,2)", "decimal(2,3)", "double", "decimal"])
def test_a_type_snowflake_cannot_hold_exactly_is_refused(declared: str) -> None:
    with pytest.raises(PublishError):
        snowflake_type(declared)


def test_readers_get_a_secure_view_with_explicit_columns() -> None:
    assert create_view(TARGET, slice_of()) == (
        'CREATE OR REPLACE SECURE VIEW "FIN"."BI"."INVOICES" COPY GRANTS AS '
        'SELECT "ID", "DAY", "AMOUNT" FROM "FIN"."MART"."INVOICES"'
    )


def test_a_long_partition_list_is_cut_without_loss_or_overlap() -> None:
    values = tuple(str(n) for n in range(2500))
    part = slice_of(
        columns=(*COLUMNS, PublishedColumn("n", "bigint")),
        partition_column="n",
        partitions=(*values, "7"),
    )

    cut = list(scopes(part))

    assert [len(binds) for _, binds in cut] == [1000, 1000, 500]
    assert tuple(value for _, binds in cut for value in binds) == values
    assert all(clause.count("?") == len(binds) for clause, binds in cut)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (slice_of(key=()), "not among the columns"),
        (slice_of(key=("nope",)), "not among the columns"),
        (slice_of(partition_column="nope"), "not among the columns"),
        (slice_of(files=()), "1 rows are announced but no file"),
        (slice_of(columns=(*COLUMNS, PublishedColumn("ID", "string"))), "differ in case only"),
    ],
)
def test_a_slice_that_contradicts_itself_is_refused(part: TableSlice, message: str) -> None:
    with pytest.raises(PublishError, match=message):
        check(publication_of(part))


def test_one_table_has_one_slice() -> None:
    with pytest.raises(PublishError, match="twice"):
        check(publication_of(slice_of(), slice_of(table="INVOICES")))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "WITH a AS (SELECT 1) SELECT * FROM a;",
        "(SELECT 1) UNION SELECT 2",
        "SHOW TABLES",
        "SHOW GRANTS ON TABLE t",
        "DESC TABLE t",
    ],
)
def test_reading_is_allowed(sql: str) -> None:
    require_read_only(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT 1; DROP TABLE t",
        "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
        "CREATE TABLE t AS SELECT 1",
        "CALL p()",
        "EXECUTE IMMEDIATE 'DROP TABLE t'",
        "SELECT SYSTEM$ABORT_SESSION(1)",
        "COPY INTO @s FROM t",
        "USE ROLE ACCOUNTADMIN",
        "GRANT SELECT ON t TO ROLE r",
        "SELECT FROM WHERE",
    ],
)
def test_anything_else_is_refused(sql: str) -> None:
    with pytest.raises(ConfigError):
        require_read_only(sql)


def test_governance_masks_each_personal_column_and_opens_only_the_views() -> None:
    pii = [PiiColumn("customers", "email", "string"), PiiColumn("customers", "born_on", "date")]

    statements = governance_sql(TARGET, ["customers"], pii, bi_role="analyst", cleared_role="auditor")

    assert statements == [
        'GRANT USAGE ON DATABASE "FIN" TO ROLE "ANALYST"',
        'GRANT USAGE ON SCHEMA "FIN"."BI" TO ROLE "ANALYST"',
        'GRANT SELECT ON VIEW "FIN"."BI"."CUSTOMERS" TO ROLE "ANALYST"',
        'CREATE MASKING POLICY IF NOT EXISTS "FIN"."MART"."MASK_PII_DATE" AS (val DATE) '
        "RETURNS DATE -> "
        "CASE WHEN IS_ROLE_IN_SESSION('AUDITOR') THEN val ELSE NULL END",
        'CREATE MASKING POLICY IF NOT EXISTS "FIN"."MART"."MASK_PII_VARCHAR" AS (val VARCHAR) '
        "RETURNS VARCHAR -> "
        "CASE WHEN IS_ROLE_IN_SESSION('AUDITOR') THEN val ELSE '***' END",
        'ALTER TABLE "FIN"."MART"."CUSTOMERS" MODIFY COLUMN "BORN_ON" '
        'SET MASKING POLICY "FIN"."MART"."MASK_PII_DATE" FORCE',
        'ALTER TABLE "FIN"."MART"."CUSTOMERS" MODIFY COLUMN "EMAIL" '
        'SET MASKING POLICY "FIN"."MART"."MASK_PII_VARCHAR" FORCE',
    ]


def test_governance_sql_is_read_by_a_snowflake_parser() -> None:
    for statement in governance_sql(TARGET, ["t"], [], bi_role="r", cleared_role="c"):
        assert isinstance(sqlglot.parse_one(statement, read="snowflake"), exp.Grant)
    # the parser keeps CREATE MASKING POLICY as opaque text, so its body is parsed by itself
    assert isinstance(sqlglot.parse_one(mask_expression("NUMBER(18,2)", "c"), read="snowflake"), exp.Case)
