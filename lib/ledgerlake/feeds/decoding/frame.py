"""Decoders at work: here where a batch is small, in Spark's Python workers, an object a task, where it is not."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from ledgerlake.arrow import into_spark
from ledgerlake.feeds.base import Reading
from ledgerlake.feeds.decoding.changes import Changes, changes_schema
from ledgerlake.feeds.decoding.lines import chunks
from ledgerlake.landing.manifest import LandedObject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Decode = Callable[[int, Sequence[bytes]], Changes]
"""(ordinal of the first line, lines) → changes; called for an object's chunks in their order."""
Decoder = Callable[[LandedObject], Decode]
"""Opens an object's decoding. It goes to Spark's workers, so it must be picklable."""

HERE_BYTES = 16 << 20
"""Text that is decoded here: about what takes a worker's start and the crossing to it."""
_GZIP_RATIO = 10
_PARTS_OF_PATH = 5


def decoded(spark: SparkSession, reading: Reading, decoder: Decoder) -> DataFrame:
    """Return the raw changes of a batch's objects; each is read once, whole, by one decoder."""
    from pyspark.sql.pandas.types import from_arrow_schema

    schema = changes_schema(reading.table)
    if sum(map(_text_bytes, reading.objects)) <= HERE_BYTES:
        batches = [b for o in reading.objects for b in _batches(o, reading.lake.read(o.path), decoder, schema)]
        rows = pa.Table.from_batches(batches, schema)
        return into_spark(spark, rows, from_arrow_schema(schema), parts=spark.sparkContext.defaultParallelism)
    uris = [f"{reading.lake.uri}/{o.path}" for o in reading.objects]
    bodies = spark.read.format("binaryFile").load(uris).select("path", "content")
    work = _worker({o.path: o for o in reading.objects}, decoder, schema)
    return bodies.mapInArrow(work, from_arrow_schema(schema))


def _text_bytes(item: LandedObject) -> int:
    return item.size_bytes * (_GZIP_RATIO if item.path.endswith(".gz") else 1)


def _batches(
    item: LandedObject, body: bytes | memoryview, decoder: Decoder, schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    decode, first = decoder(item), 0
    for lines in chunks(item.path, body):
        with _no_collection():
            batch = decode(first, lines).batch(item.path, schema)
        yield batch
        first += len(lines)


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


def _worker(
    objects: Mapping[str, LandedObject], decoder: Decoder, schema: pa.Schema
) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    def work(bodies: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        for uri, body in (pair for b in bodies for pair in zip(*b.columns, strict=True)):
            path = "/".join(uri.as_py().split("/")[-_PARTS_OF_PATH:])
            yield from _batches(objects[path], memoryview(body.as_buffer()), decoder, schema)

    return work
