"""The position of a dumped record is the same text whether it was told in this process or by Spark."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from ledgerlake.config.models import Column
from ledgerlake.feeds.dump import _moments, _ordered

USUAL = ["2026-03-01T10:00:00Z", "2026-03-01 10:00:00", "2026-03-01T10:00:00.120+00:00", "0001-01-01T00:00:00.000001Z"]
OTHERS = ["2026-03-01", "2026-3-1 1:02:03", "2026-03-01T10:00:00+02:00", "2026-03-01T10:00:00.1234567Z", "soon", ""]


def test_moments_of_the_usual_form_are_written_as_spark_writes_them(spark: Any) -> None:
    column = Column(name="at", type="timestamp")
    frame = spark.createDataFrame([(t,) for t in USUAL], "at string").selectExpr(_ordered(column, "at"))
    assert _moments(pa.array(USUAL)).to_pylist() == [r[0] for r in frame.collect()]


def test_moments_of_other_forms_are_left_to_spark() -> None:
    assert _moments(pa.array([*OTHERS, None])).to_pylist() == [None] * (len(OTHERS) + 1)
