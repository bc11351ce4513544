"""Few rows cross between Spark and this process as Arrow.

Spark reads and writes a Delta table through its log, in jobs of its own, which for a few rows
takes longer than all work on them. Such rows pass through here instead (ADR 0007): into Spark
as a relation that it plans without looking at a file, out of it for delta-rs to write.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

ROWS_MAX = 20_000
"""Rows that may pass through this process's memory on their way into a table or out of one."""


_RELATION_BYTES_MAX = "spark.sql.execution.arrow.localRelationThreshold"


def into_spark(session: SparkSession, rows: pa.Table, schema: StructType, *, parts: int | None = None) -> DataFrame:
    """Return ``rows`` as a frame of ``schema``, whose columns they have in any of Arrow's types for them.

    With ``parts`` tasks work on that many pieces of them; else they are a relation that Spark
    plans with, and projects while it plans, which is for few rows only.
    """
    from pyspark.sql import DataFrame
    from pyspark.sql.pandas.types import to_arrow_schema

    fitted = rows.cast(to_arrow_schema(schema)).combine_chunks()
    piece = -(-rows.num_rows // parts) if parts and rows.num_rows else None
    handle, path = tempfile.mkstemp(suffix=".arrow")
    try:
        with os.fdopen(handle, "wb") as sink, pa.ipc.new_stream(sink, fitted.schema) as stream:
            stream.write_table(fitted, max_chunksize=piece)
        # What createDataFrame(pa.Table) does since Spark 4; 3.5 offers it for pandas only, which knows no decimals.
        crossing = session._jvm.org.apache.spark.sql.api.python.PythonSQLUtils  # type: ignore[union-attr]
        batches = crossing.readArrowStreamFromFile(path)
        if piece:
            session.conf.set(_RELATION_BYTES_MAX, "0")
        return DataFrame(crossing.toDataFrame(batches, schema.json(), session._jsparkSession), session)
    finally:
        if piece:
            session.conf.unset(_RELATION_BYTES_MAX)
        Path(path).unlink()


def out_of_spark(frame: DataFrame) -> pa.Table:
    """Return the frame's rows, all columns nullable."""
    from pyspark.sql.pandas.types import to_arrow_schema

    told = to_arrow_schema(frame.schema)
    rows = pa.Table.from_batches(frame._collect_as_arrow(), told)
    return rows.cast(pa.schema([field.with_nullable(True) for field in told]))


def out_of_spark_if_few(frame: DataFrame) -> pa.Table | None:
    """Return the same, None where the rows are more than ``ROWS_MAX``."""
    rows = out_of_spark(frame.limit(ROWS_MAX + 1))
    return rows if rows.num_rows <= ROWS_MAX else None
