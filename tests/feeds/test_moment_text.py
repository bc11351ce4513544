"""A moment has one text as a position, whoever writes it: Spark's formatter, its arithmetic, or Arrow."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from ledgerlake.feeds.moment_text import moment_text, timestamp_text, usual_text

USUAL = ["2026-03-01T10:00:00Z", "2026-03-01 10:00:00", "2026-03-01T10:00:00.120+00:00", "0001-01-01T00:00:00.000001Z"]
OTHERS = [
    "2026-03-01",
    "2026-3-1 1:02:03", "2026-02-30T10:00:00Z", "0000-01-01T10:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T10:00:60Z", "٢٠٢٦-03-01T10:00:00Z",
    "2026-03-01T10:00:00+02:00",
    "2026-03-01T10:00:00.1234567Z",
    "soon",
    "",
    "2026-03-01T10:00:00Zé",
]
DAY = 86_400_000_000
EVERY_DAY = f"SELECT timestamp_micros(id * {DAY} + id * 7919 * 104729 % {DAY}) AS at FROM range(14000, 48000)"
EVERY_SECOND = f"SELECT timestamp_micros(20512 * {DAY} + id * 1000000 + id * 7919 % 1000000) AS at FROM range(86400)"
EDGES = [
    "2009-12-31 23:59:59.999999", "2010-01-01 00:00:00", "2099-12-31 23:59:59.999999", "2100-01-01 00:00:00", "1969-12-31 23:59:59.9",
    "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999",
]  # fmt: skip


def test_moments_of_the_usual_form_are_written_as_spark_writes_them(spark: Any) -> None:
    frame = spark.createDataFrame([(t,) for t in USUAL], "at string").selectExpr(
        moment_text("try_cast(at AS TIMESTAMP)")
    )
    assert usual_text(pa.array(USUAL)).to_pylist() == [r[0] for r in frame.collect()]


def test_moments_of_other_forms_are_left_to_spark() -> None:
    assert usual_text(pa.array([*OTHERS, None])).to_pylist() == [None] * (len(OTHERS) + 1)


@pytest.mark.parametrize(
    "moments",
    [EVERY_DAY, EVERY_SECOND, "SELECT explode(array({})) AS at".format(", ".join(f"TIMESTAMP'{e}Z'" for e in EDGES))],
    ids=["every day", "every second of a day", "edges"],
)
def test_arithmetic_writes_timestamps_as_spark_writes_them(spark: Any, moments: str) -> None:
    texts = spark.sql(moments).selectExpr(f"{timestamp_text('at')} AS text", f"{moment_text('at')} AS meant")
    assert texts.where("text IS DISTINCT FROM meant").take(3) == []
    assert texts.where("text IS NULL").count() == 0


def test_a_null_timestamp_has_no_text(spark: Any) -> None:
    assert spark.sql(f"SELECT {timestamp_text('CAST(NULL AS TIMESTAMP)')} AS text").first().text is None
