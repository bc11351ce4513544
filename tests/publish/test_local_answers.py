"""What the local Snowflake answers is what Snowflake would: exact numbers, true nulls, its own errors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from ledgerlake.demo.local_snowflake import LocalSnowflake
from ledgerlake.errors import PublishError
from ledgerlake.ports.snowflake import Connect, SnowflakeCursor, connector, local_text
from ledgerlake.publish.query import run_query

BIG = Decimal("1234567890123456789012345678.0123456789")
COLUMNS = """N INT, AMOUNT NUMBER(18,2), RATE NUMBER(38,10), COUNTED BIGINT, F FLOAT, MOMENT TIMESTAMP_NTZ,
    AT_TZ TIMESTAMP_TZ, AT_LTZ TIMESTAMP_LTZ, ON_DAY DATE, AT_TIME TIME, V VARIANT, A ARRAY, O OBJECT, B BINARY,
    YES BOOLEAN, T VARCHAR"""
FULL = f"""INSERT INTO FACTS SELECT 1, 10.10, {BIG}, 9223372036854775807, 1.5, '2026-01-01 10:00:00.123456',
    '2026-01-01 10:00:00+02:00'::TIMESTAMP_TZ, '2026-01-01 10:00:00-05:30'::TIMESTAMP_LTZ, '2026-01-02',
    '10:11:12.5', PARSE_JSON('{{"a": 1}}'), PARSE_JSON('[1]'), PARSE_JSON('{{"b": 2}}'), 'ABCD', TRUE, '7.5'"""
EMPTY = "INSERT INTO FACTS SELECT 2, 20.21, " + ", ".join(["NULL"] * 14)


@pytest.fixture(scope="module")
def facts(server: LocalSnowflake) -> Iterator[SnowflakeCursor]:
    connection = connector(server.parameters())()
    cursor = connection.cursor()
    for sql in ("CREATE DATABASE LOOKED", "CREATE SCHEMA LOOKED.S", "USE SCHEMA LOOKED.S",
                f"CREATE TABLE FACTS ({COLUMNS})", FULL, EMPTY):  # fmt: skip
        cursor.execute(sql)
    yield cursor
    connection.close(retry=False)


def first(cursor: SnowflakeCursor, sql: str) -> tuple[Any, ...]:
    cursor.execute(sql)
    return cursor.fetchall()[0]


def told(value: object) -> tuple[type, str]:
    """A value with its type and every digit: 2 and 2.00 are equal decimals."""
    return type(value), str(value)


def test_every_type_comes_back_as_it_was_written(facts: SnowflakeCursor) -> None:
    assert first(facts, "SELECT * FROM FACTS WHERE N = 1") == (
        1, Decimal("10.10"), BIG, 9223372036854775807, 1.5, datetime(2026, 1, 1, 10, 0, 0, 123456),
        datetime(2026, 1, 1, 8, tzinfo=UTC), datetime(2026, 1, 1, 15, 30, tzinfo=UTC), date(2026, 1, 2),
        time(10, 11, 12, 500000), '{"a":1}', "[1]", '{"b":2}', b"ABCD", True, "7.5",
    )  # fmt: skip


def test_null_of_every_type_is_null(facts: SnowflakeCursor) -> None:
    assert first(facts, "SELECT * FROM FACTS WHERE N = 2")[2:] == (None,) * 14
    assert first(facts, "SELECT MAX(MOMENT), MIN(AT_TZ), NULL FROM FACTS WHERE N = 2") == (None, None, None)
    facts.execute("SELECT MOMENT FROM FACTS ORDER BY N")
    assert facts.fetchall() == [(datetime(2026, 1, 1, 10, 0, 0, 123456),), (None,)]


@pytest.mark.parametrize(
    "text",
    ["1969-12-31 23:59:59.999999", "1950-06-01 00:00:00.000001", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999",
     "1970-01-01 00:00:00"],
)  # fmt: skip
def test_moments_before_1970_and_in_far_years_are_exact(facts: SnowflakeCursor, text: str) -> None:
    assert first(facts, f"SELECT '{text}'::TIMESTAMP_NTZ, '{text[:10]}'::DATE") == (
        datetime.fromisoformat(text), date.fromisoformat(text[:10]),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SUM(AMOUNT)", Decimal("30.31")), ("SUM(N)", 3), ("SUM(COUNTED)", 9223372036854775807), ("SUM(RATE)", BIG),
        ("SUM(F)", 1.5), ("SUM(T)", 7.5), ("SUM(CASE WHEN N > 1 THEN AMOUNT ELSE 0 END)", Decimal("20.21")),
        ("AVG(AMOUNT)", Decimal("15.15500000")), ("AVG(N)", Decimal("1.500000")), ("AVG(F)", 1.5),
        ("AVG(COUNTED)", Decimal("9223372036854775807.000000")),
        ("SUM(AMOUNT) / COUNT(*)", Decimal("15.15500000")), ("SUM(AMOUNT) / SUM(N)", Decimal("10.10333333")),
        ("MAX(AMOUNT) / 3", Decimal("6.73666667")), ("10 / 4", Decimal("2.500000")), ("MAX(F) / 3", 0.5),
        ("-2 / 3", Decimal("-0.666667")), ("MAX(AMOUNT) * MAX(AMOUNT)", Decimal("408.4441")),
    ],
)  # fmt: skip
def test_sums_averages_and_quotients_of_numbers_are_numbers(facts: SnowflakeCursor, sql: str, value: object) -> None:
    assert told(first(facts, f"SELECT {sql} FROM FACTS")[0]) == told(value)


def test_exact_numbers_inside_windows_subqueries_and_views(facts: SnowflakeCursor) -> None:
    facts.execute("CREATE VIEW SHARES AS SELECT N, AMOUNT / 3 AS SHARE FROM FACTS")
    assert first(facts, "SELECT AVG(AMOUNT) OVER (PARTITION BY N) FROM FACTS ORDER BY N") == (Decimal("10.10"),)
    assert first(facts, "WITH S AS (SELECT SUM(AMOUNT) AS A FROM FACTS) SELECT A / 2 FROM S") == (Decimal("15.155"),)
    assert first(facts, "SELECT A / 2 FROM (SELECT SUM(SHARE) / 2 AS A FROM SHARES)")[0] == Decimal("2.525833335")
    assert first(facts, "SELECT SUM(AMOUNT) / 2 FROM FACTS GROUP BY N ORDER BY N") == (Decimal("5.05"),)


def test_an_empty_result_keeps_its_columns(facts: SnowflakeCursor) -> None:
    facts.execute("SELECT AMOUNT, MOMENT, V FROM FACTS WHERE 1 = 0")
    assert (facts.fetchall(), [c.name for c in facts.description]) == ([], ["AMOUNT", "MOMENT", "V"])
    assert first(facts, "SELECT SUM(AMOUNT), AVG(N), COUNT(*) FROM FACTS WHERE 1 = 0") == (None, None, 0)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("SELECT NO_SUCH FROM LOOKED.S.FACTS", "NO_SUCH"),
        ("SELECT * FROM LOOKED.S.NOWHERE", "NOWHERE"),
        ("SELECT 'secret word'::INT", "Could not convert"),
        ("SELECT 1 / 0", "Division by zero"),
        ("SELECT 'x'::DATE + AMOUNT FROM LOOKED.S.FACTS", "No function matches"),
    ],
)
def test_an_error_says_what_the_local_server_said_without_values(
    facts: SnowflakeCursor, connect: Connect, sql: str, says: str
) -> None:
    with pytest.raises(PublishError) as error:
        run_query(connect, sql)
    assert says in error.value.what
    assert "local Snowflake" in error.value.what
    assert "query history" not in str(error.value)
    assert "secret" not in str(error.value)


@pytest.fixture
def connect(server: LocalSnowflake) -> Connect:
    return connector(server.parameters())


def test_values_never_stand_in_a_local_error() -> None:
    for message in (
        'Constraint Error: Duplicate key "id: 4711" violates primary key',
        "Conversion Error: Could not convert string 'Ann O''Neill' to INT32",
        "Out of Range Error: Overflow in multiplication of 4711 * 4711!",
        'Invalid Input Error: Malformed JSON at byte 4711: unexpected "Ann"',
    ):
        assert not {"4711", "Ann", "Neill"} & set(local_text(message).replace('"', " ").replace("'", " ").split())
    assert '"AMOUNT"' in local_text('Binder Error: Referenced column "AMOUNT" not found')
