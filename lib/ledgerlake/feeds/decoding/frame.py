"""Decoders at work: here where a batch is small, in Spark's Python workers, an object a task, where it is not."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from ledgerlake.arrow import into_spark
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.decoding.changes import Changes, changes_schema
from ledgerlake.feeds.decoding.lines import Cut, chunks
from ledgerlake.landing.manifest import LandedObject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Decode = Callable[[int, Sequence[bytes]], Changes]
"""(ordinal of the first line, lines) → changes; called for an object's chunks in their order."""
Decoder = Callable[[LandedObject], Decode]
"""Opens an object's decoding. It goes to Spark's workers, so it must be picklable."""

HERE_BYTES = 16 << 20
"""Text that is decoded here: about what takes a worker's start and the crossing to it."""
_HERE_OBJECTS = 100  # they are fetched one after the other
_ROWS_A_TASK = 5_000
_GZIP_RATIO = 10
_PARTS_OF_PATH = 5


def decoded(
    spark: SparkSession, reading: Reading, decoder: Decoder, cut: Cut = chunks, *, here_bytes: int = HERE_BYTES
) -> DataFrame:
    """Return the raw changes of a batch's objects; each is read once, cut into records' texts and decoded.

    Batches of up to ``here_bytes`` of text (estimated) are decoded in this process.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    schema = changes_schema(reading.table)
    work = _Work({o.path: o for o in reading.objects}, cut, decoder, schema)
    if (
        len(reading.objects) <= _HERE_OBJECTS
        and sum(text_bytes(o.path, o.size_bytes) for o in reading.objects) <= here_bytes
    ):
        batches = [b for o in reading.objects for b in work.on_object(o, reading.lake.read(o.path))]
        rows = pa.Table.from_batches(batches, schema)
        parts = min(spark.sparkContext.defaultParallelism, 1 + rows.num_rows // _ROWS_A_TASK)
        return into_spark(spark, rows, from_arrow_schema(schema), parts=parts)
    uris = [f"{reading.lake_uri}/{o.path}" for o in reading.objects]
    bodies = spark.read.format("binaryFile").load(uris).select("path", "content")
    return bodies.mapInArrow(work.on_bodies, from_arrow_schema(schema))


@dataclass(frozen=True)
class _Work:
    """All that a worker needs to know of a batch."""

    objects: Mapping[str, LandedObject]
    cut: Cut
    decoder: Decoder
    schema: pa.Schema

    def on_object(self, item: LandedObject, body: bytes | memoryview) -> Iterator[pa.RecordBatch]:
        decode, first = self.decoder(item), 0
        for texts in self.cut(item.path, body):
            with _no_collection():
                batch = decode(first, texts).batch(item.path, self.schema)
            yield batch
            first += len(texts)

    def on_bodies(self, bodies: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        for uri, body in (pair for b in bodies for pair in zip(*b.columns, strict=True)):
            path = "/".join(uri.as_py().split("/")[-_PARTS_OF_PATH:])
            yield from self.on_object(self.objects[path], memoryview(body.as_buffer()))


def text_bytes(name: str, size_bytes: int) -> int:
    """Return how much text an object is taken to hold, by its name and stored size."""
    return size_bytes * (_GZIP_RATIO if name.endswith(".gz") else 1)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python from looking for cycles among records: it takes a third of the time, and there are none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
