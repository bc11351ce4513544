"""Which texts are values: the table of the documentation, the oracle in plain Python and both engines say the same."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgerlake.core.types import ColumnType, Refusal, column_type
from ledgerlake.engines.embedded import engine
from ledgerlake.sql.relation import Relation
from ledgerlake.sql.values import canonical_sql, reason_sql, value_sql
from pyspark.sql import SparkSession

DOCS = Path(__file__).parents[2] / "docs" / "configuration.md"
KINDS: dict[str, ColumnType[Any]] = {
    "integer": column_type("integer"), "bigint": column_type("bigint"), "boolean": column_type("boolean"),
    "decimal(18,2)": column_type("decimal(18,2)"), "decimal(38,18)": column_type("decimal(38,18)"),
    "decimal(5,0)": column_type("decimal(5,0)"), "decimal(38,38)": column_type("decimal(38,38)"),
    "date": column_type("date"), "timestamp": column_type("timestamp"), "string": column_type("string"),
    "timestamp, `zone: Europe/Berlin`": column_type("timestamp", zone="Europe/Berlin"),
    "timestamp, `zone: America/New_York`": column_type("timestamp", zone="America/New_York"),
    "timestamp, `zone: Australia/Lord_Howe`": column_type("timestamp", zone="Australia/Lord_Howe"),
    "timestamp, `finer: round`": column_type("timestamp", finer="round"),
    "timestamp, `format: epoch_seconds`": column_type("timestamp", format="epoch_seconds"),
    "timestamp, `format: epoch_millis`": column_type("timestamp", format="epoch_millis"),
    "timestamp, `format: epoch_micros`": column_type("timestamp", format="epoch_micros"),
}  # fmt: skip
Judge = Callable[[ColumnType[Any], list[str]], list[str | Refusal]]
"""Texts → canonical text of each one's value, or why it has none."""


def by_oracle(kind: ColumnType[Any], texts: list[str]) -> list[str | Refusal]:
    values = [kind.parse(text) for text in texts]
    return [v if isinstance(v, Refusal) else kind.canonical(v) for v in values]


@pytest.fixture(scope="module", params=["embedded", "spark"])
def by_engine(request: pytest.FixtureRequest) -> Judge:
    def rows(statement: str, texts: list[str]) -> list[dict[str, Any]]:
        if request.param == "embedded":
            given = pa.table({"n": range(len(texts)), "r": pa.array(texts, pa.string())})
            return engine.run(Relation.query(statement, (), [Relation.of("raw", given, given.column_names)])).to_pylist()
        session: SparkSession = request.getfixturevalue("spark")
        session.createDataFrame(list(enumerate(texts)), "n BIGINT, r STRING").createOrReplaceTempView("raw")
        return [row.asDict() for row in session.sql(statement).collect()]

    def judge(kind: ColumnType[Any], texts: list[str]) -> list[str | Refusal]:
        typed = f"SELECT n, r, {value_sql(kind, 'r')} AS v FROM raw"
        items = f"n, {canonical_sql(kind, 'v')} AS v, {reason_sql(kind, 'r', 'string', 'c')} AS why"
        found = sorted(rows(f"SELECT {items} FROM ({typed})", texts), key=lambda row: int(row["n"]))
        return [row["v"] if row["v"] is not None else Refusal(row["why"].removeprefix("c: ")) for row in found]

    return judge


def documented() -> list[tuple[str, str, str]]:
    """Return (type, text, value or reason) of the table in the documentation."""
    rows = re.findall(r"^\| (.+?) \| ((?:`[^`|]*`(?:, )?)+) \| (.+?) \|$", DOCS.read_text(), re.MULTILINE)
    return [(kind, text, says) for kind, texts, says in rows if kind in KINDS for text in re.findall("`([^`]*)`", texts)]


def test_the_documented_table_is_what_the_oracle_and_both_engines_say(by_engine: Judge) -> None:
    rows = documented()
    assert {kind for kind, _, _ in rows} >= {k for k in KINDS if not k.startswith(("timestamp,", "string"))}
    for kind in KINDS:
        texts = [(text, says) for k, text, says in rows if k == kind]
        told = [says.strip("`") if says.startswith("`") else Refusal(says) for _, says in texts]
        for judged in (by_oracle, by_engine):
            assert list(zip(texts, judged(KINDS[kind], [t for t, _ in texts]), strict=True)) == list(zip(texts, told, strict=True)), kind  # fmt: skip


NUMBERS = st.from_regex(r"[+-]?[0-9]{0,22}([.][0-9]{0,21})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
ZONES = ["", "Z", " UTC", "GMT", "+01", "+0530", "-05:30", "+14:00", "+14:30", "-18", " Europe/Berlin", "America/New_York",
         " Europe/Nowhere", " BST", " CST", "Asia/Kolkata", " Australia/Lord_Howe", "z", "[Europe/Berlin]", "+25", "US/Eastern"]  # fmt: skip
DAYS = st.one_of(
    st.dates(date(1, 1, 1), date(9999, 12, 31)).map(date.isoformat),
    st.sampled_from(["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-10-04", "2026-04-05", "2026-02-29",
                     "2024-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "2026-13-01", "2026-3-1", "12026-01-01", "1893-04-01"]),
)  # fmt: skip
CLOCKS = st.one_of(
    st.times().map(lambda t: t.isoformat()), st.sampled_from(["02:30:00", "01:30:00", "01:59:59.999999", "24:00:00", "23:59:60",
    "00:00:00", "00:00", "10:00", "10", "23:59:59.9999999", "10:00:00.1234565", "10:00:00.12345649", "10:00:00.100000000", "00:00:00.000"]),
)  # fmt: skip
MOMENTS = st.builds("".join, st.tuples(DAYS, st.sampled_from(["T", " ", "", "  "]), CLOCKS, st.sampled_from(ZONES)))
HOSTILE = st.text("0123456789٣１२+-.eE_xT:Z \t\n\u00a0, ntrueyso", max_size=12)
SPOILT = st.builds(lambda a, b, c: a + b + c, st.sampled_from(["", " ", "\n", "+", "x"]), st.one_of(MOMENTS, NUMBERS, DAYS), st.sampled_from(["", "", " ", "\n", "\u2028", " BC", " (est.)", "0"]))  # fmt: skip
TEXTS = st.lists(st.one_of(NUMBERS, MOMENTS, DAYS, HOSTILE, SPOILT), min_size=150, max_size=150)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "string"])
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=TEXTS)
def test_both_engines_and_the_oracle_agree_on_every_text(by_engine: Judge, kind: str, texts: list[str]) -> None:
    expected, found = by_oracle(KINDS[kind], texts), by_engine(KINDS[kind], texts)

    assert [x for x in zip(texts, expected, found, strict=True) if x[1] != x[2]] == []


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("integer", -7, "-7"), ("boolean", False, "false"), ("decimal(38,18)", Decimal("1E-18"), "0.000000000000000001"),
        ("decimal(18,2)", Decimal("-0.5"), "-0.50"), ("date", date(1, 2, 3), "0001-02-03"), ("string", " a ", " a "),
        ("timestamp", datetime(2026, 3, 1, 10, 0, 0, 120_000, UTC), "2026-03-01 10:00:00.12"),
    ],
)  # fmt: skip
def test_the_canonical_text_of_a_value_is_plain_and_read_back_as_the_value(kind: str, value: Any, text: str) -> None:
    assert KINDS[kind].canonical(value) == text
    assert KINDS[kind].parse(text) == value
